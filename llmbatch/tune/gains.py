"""The comparison of two measured settings: a gain, or noise."""

from llmbatch.tune.trial import TrialFigures

MARGIN = 0.03
"""A gain that is smaller in one of the halves is taken for noise."""

# Starts of one and the same setting differ by this share.
_START_NOISE = 0.25


def gains_over(one: TrialFigures, other: TrialFigures) -> tuple[float, ...]:
    """The gain in speed of `one` over `other`, for each half of the sample; 0.1 is 10 %."""
    pairs = zip(one.parts, other.parts, strict=True)
    return tuple(a.tokens_per_second / b.tokens_per_second - 1 for a, b in pairs)


def is_faster(one: TrialFigures, other: TrialFigures) -> bool:
    """True if `one` was faster by more than noise."""
    return min(gains_over(one, other)) >= MARGIN


def starts_too_late(one: TrialFigures, other: TrialFigures, requests: int) -> bool:
    """True if a start that is clearly longer costs a job of so many requests more than it gains."""
    more = ready_seconds(one) - ready_seconds(other)
    rates = [measured.total.requests_per_second for measured in (one, other)]
    saved = requests / rates[1] - requests / rates[0]
    return more > _START_NOISE * ready_seconds(other) and more > saved


def ready_seconds(one: TrialFigures) -> float:
    """Seconds until the engine worked at its full speed."""
    return one.start_seconds + one.warm_up.seconds


def changed_answers(one: TrialFigures, other: TrialFigures | None) -> int:
    """The number of answers of `one` that drafts have made others than they are in `other`."""
    if other is None or one.speculation.drafts == other.speculation.drafts == 0:
        return 0
    return sum(other.answers.get(key, text) != text for key, text in one.answers.items())
