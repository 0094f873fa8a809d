"""The worth of speculative decoding in runs: drafts, accepted tokens, steps and money."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Self

from llmbatch.accounting.usage import RunUsage, priced
from llmbatch.core.speculation import Speculation


@dataclass(frozen=True, slots=True)
class SpeculationUse:
    """Speculative decoding in the runs of a job. `drafts`: how often tokens were drafted for a
    request; `acceptance`: by position in a draft, the share of the drafted tokens that were
    accepted.

    `steps_saved`: the steps that the accepted tokens would have taken in batches of the same size.
    `most_seconds_saved`, and `most_money_saved` of the runs with a price by the hour (None: there
    are none), count such a step like one of the run; it would have been shorter, because a step
    with drafts computes more. `llmbatch tune` measures the gain.
    """

    drafts: int
    draft_tokens: int
    accepted_tokens: int
    acceptance: list[float]
    steps_saved: float
    most_seconds_saved: float
    most_money_saved: float | None

    @classmethod
    def of(cls, runs: Sequence[RunUsage]) -> Self | None:
        """The use of speculation in these runs; None where nothing was drafted."""
        total = reduce(add, (run.speculation for run in runs), Speculation())
        if not total.drafts:
            return None
        paid = [run for run in priced(runs) if run.price_per_million is None]
        return cls(
            drafts=total.drafts,
            draft_tokens=total.draft_tokens,
            accepted_tokens=total.accepted_tokens,
            acceptance=[round(share, 4) for share in total.acceptance],
            steps_saved=sum(map(steps_saved, runs)),
            most_seconds_saved=sum(map(_seconds_saved, runs)),
            most_money_saved=sum(map(_money_saved, paid)) if paid else None,
        )


def steps_saved(run: RunUsage) -> float:
    """The steps that a run's accepted tokens would have taken."""
    accepted = run.speculation.accepted_tokens
    return accepted * run.steps / run.sequences if run.sequences else 0.0


def _seconds_saved(run: RunUsage) -> float:
    working = max(0.0, run.generate_seconds - run.idle_seconds)
    return steps_saved(run) * working / run.steps if run.steps else 0.0


def _money_saved(run: RunUsage) -> float:
    return _seconds_saved(run) / 3600 * run.devices * (run.price_per_hour or 0.0)
