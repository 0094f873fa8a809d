"""The judgement of answers by rules, bounded in time: a rule may compute for hours, and the thread
of a run depends on nothing while it is inside one step. So it runs in another process."""

from collections.abc import Iterator, Sequence
from typing import Self

from llmbatch.core import units
from llmbatch.core.bounded_process import EndedError, Helper
from llmbatch.pipeline.run.job_rules import JobRules
from llmbatch.quality.rules import judge
from llmbatch.quality.rules.view import CheckedAnswer
from llmbatch.store.rule_query import Broken

LIMIT = 2.0
"""Seconds of processor time for the judgement of one group, and then of one row of it."""
MOST_ROWS = 512
"""The rows that are judged together."""
_MOST_CHARACTERS = 8_000_000
# When so many rows in a row were cut off, no other one of the group is tried.
_VAIN = 3


class BoundedJudge:
    """Judges groups of answers in a process of its own. A context manager, which leaves none
    behind."""

    def __init__(self, rules: JobRules, limit: float = LIMIT) -> None:
        self._rules = rules
        self._limit = limit
        self._helper = Helper("llmbatch.quality.rules.judge_process", rules.settings(), limit)

    def __enter__(self) -> Self:
        self._helper.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._helper.end()

    def broken(self, group: Sequence[CheckedAnswer]) -> list[Broken]:
        """The rules that these rows break, by row and then by rule."""
        found: list[Broken] = []
        start = 0
        for end in _ends(group):
            found += [_moved(one, start) for one in self._part(group[start:end])]
            start = end
        return found

    def _part(self, part: Sequence[CheckedAnswer]) -> list[Broken]:
        try:
            return self._ask(part)
        except EndedError:
            return self._one_by_one(part)

    def _ask(self, part: Sequence[CheckedAnswer], only: int | None = None) -> list[Broken]:
        rules = None if only is None else [only]
        return judge.decoded(self._helper.ask(judge.encoded(part, rules)))

    def _one_by_one(self, part: Sequence[CheckedAnswer]) -> list[Broken]:
        """The same of a group that was cut off: which row, and which rule."""
        found: list[Broken] = []
        vain: list[Broken] = []
        for place, one in enumerate(part):
            if len(vain) >= _VAIN:
                error = f"{vain[0].error}, as for {units.count(_VAIN, 'row')} before: not tried"
                found.append(Broken(place, vain[0].rule, error))
                continue
            try:
                found += [_moved(each, place) for each in self._ask([one])]
                vain = []
            except EndedError as ended:
                cut = [_moved(each, place) for each in self._rule_by_rule(one, ended)]
                found += cut
                vain += [each for each in cut if each.error][:1]
        return found

    def _rule_by_rule(self, one: CheckedAnswer, ended: EndedError) -> list[Broken]:
        """The same of a row that was cut off: which rule."""
        if len(self._rules.rules) == 1:
            return [Broken(0, 0, self._words(ended))]
        found: list[Broken] = []
        for rule in range(len(self._rules.rules)):
            try:
                found += self._ask([one], rule)
            except EndedError as at_rule:
                found.append(Broken(0, rule, self._words(at_rule)))
        return found

    def _words(self, ended: EndedError) -> str:
        took = f"took longer than {self._limit:g} s and was ended"
        return took if ended.overdue else "broke down"


def _ends(group: Sequence[CheckedAnswer]) -> Iterator[int]:
    """The ends of the parts of a group that are judged together: of few rows and characters."""
    rows = size = 0
    for place, one in enumerate(group):
        length = len(one.answer) + len(one.data or "")
        if rows and (rows == MOST_ROWS or size + length > _MOST_CHARACTERS):
            yield place
            rows = size = 0
        rows, size = rows + 1, size + length
    if rows:
        yield len(group)


def _moved(one: Broken, start: int) -> Broken:
    return Broken(one.row + start, one.rule, one.error)
