"""The table of the cases: what ought to catch each wrong answer, and what does."""

from collections import Counter
from collections.abc import Iterator, Sequence

from llmbatch.core import interval
from tests.quality.adversarial.runs import Outcome
from tests.quality.adversarial.trust import Seen

_WIDTHS = (30, 52, 44)


def lines(outcomes: Sequence[Outcome], right: Sequence[frozenset[str]]) -> Iterator[str]:
    """Each case, then the counts; `right`: the flags of right answers."""
    yield _row("case", "error", "should be caught by", "is caught by")
    for one in outcomes:
        should, caught = _names(one.case.should), _names(one.caught)
        yield _row(one.case.name, one.case.error, should, caught)
    yield ""
    yield from _counts(outcomes)
    yield ""
    yield from _by_name(outcomes, right)


def _row(*cells: str) -> str:
    *first, last = cells
    fitted = (f"{cell:{width}}" for cell, width in zip(first, _WIDTHS, strict=True))
    return f"{'  '.join(fitted)}  {last}".rstrip()


def _names(names: Sequence[str] | frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "-"


def _counts(outcomes: Sequence[Outcome]) -> Iterator[str]:
    catchable = [one for one in outcomes if one.case.should]
    missed = [one.case.name for one in catchable if not one.caught]
    others = [one for one in outcomes if not one.case.should]
    surprising = [one.case.name for one in others if one.caught]
    caught = sum(bool(one.caught) for one in outcomes)
    yield f"caught: {_of(caught, len(outcomes))}"
    yield f"  of those that ought to be: {_of(len(catchable) - len(missed), len(catchable))}"
    yield f"  missed: {'; '.join(missed) or 'none'}"
    yield f"not catchable: {len(others)}; caught all the same: {'; '.join(surprising) or 'none'}"


def _by_name(outcomes: Sequence[Outcome], right: Sequence[frozenset[str]]) -> Iterator[str]:
    caught = Counter(name for one in outcomes for name in one.caught)
    alarms = Counter(name for flags in right for name in flags)
    yield f"{'rule or sign':36}  wrong answers  right answers flagged"
    for name in sorted({*caught, *alarms}):
        yield f"{name:36}  {caught[name]:13}  {alarms[name]:5}"
    flagged = sum(map(bool, right))
    yield f"{'any':36}  {'':13}  {_of(flagged, len(right))}"


def of_model(seen: Seen) -> Iterator[str]:
    """The same over the answers of the bundled model."""
    yield f"{'rule or sign':36}  {seen.right:,} right answers   {seen.wrong:,} wrong answers"
    for name in [*sorted({*seen.of_right, *seen.of_wrong} - {"any"}), "any"]:
        right, wrong = seen.of_right.get(name, 0), seen.of_wrong.get(name, 0)
        yield f"{name:36}  {_of(right, seen.right):30}  {_of(wrong, seen.wrong)}"


def _of(hits: int, tries: int) -> str:
    """A share with its 95 % interval."""
    if not tries:
        return "0 of 0"
    share = interval.share(hits, tries)
    return f"{hits:,} of {tries:,} ({hits / tries:.1%}; {share.low:.1%} to {share.high:.1%})"
