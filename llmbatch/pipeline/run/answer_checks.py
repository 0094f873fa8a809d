"""The answers of a run held to the rules of its job, group by group."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from llmbatch.core import units
from llmbatch.core.outcomes import Completed, Failed, Outcome
from llmbatch.job.checks import CheckRule
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run import job_rules
from llmbatch.pipeline.run.bounded_judge import BoundedJudge
from llmbatch.pipeline.run.feed import Ticket
from llmbatch.pipeline.run.job_rules import JobRules
from llmbatch.quality.rules.view import CheckedAnswer
from llmbatch.store.database import Database
from llmbatch.store.rule_query import Broken
from llmbatch.store.rule_rows import NamedRow, PendingRows

FAILED = "check_failed"
ENOUGH = 20
"""A rule that cannot be computed for any of so many first rows stops the run: it is wrong, and not
the answers."""
_LONGEST = 1_000


class GroupJudge(Protocol):
    """Judges groups of answers by the rules of a job."""

    def broken(self, group: Sequence[CheckedAnswer]) -> list[Broken]:
        """The rules that the rows of a group break, by row and then by rule."""


class NamedBreak(NamedTuple):
    """A rule that a row breaks; `row` is its id where others share the request."""

    rule: CheckRule
    error: str | None
    row: str | None = None

    @property
    def text(self) -> str:
        """The words for it in a message, which the name of the rule begins."""
        said = f"cannot be computed: {self.error}" if self.error else self.rule.said
        return f"{self.rule.name}: {said}{f' (row {self.row})' if self.row else ''}"


def message(breaks: Iterable[NamedBreak]) -> str:
    """The message of an answer that breaks rules: each of them once, for its first row."""
    first: dict[str, str] = {}
    for one in breaks:
        first.setdefault(one.rule.name, one.text)
    return "; ".join(first.values())[:_LONGEST]


def failure(outcome: Completed, breaks: Sequence[NamedBreak]) -> Failed:
    """The failure of an answer that breaks rules; final if one of them says so."""
    return Failed(
        outcome.key,
        FAILED,
        message(breaks),
        outcome.usage,
        outcome.text,
        outcome.finish_reason,
        is_final=any(one.rule.on_fail == "fail" for one in breaks),
    )


@dataclass(slots=True)
class _Watch:
    """The first rows of a run, until each rule was computed for one."""

    rows: int = 0
    vain: dict[int, str] | None = None

    def count(self, rows: int, found: Sequence[Broken]) -> tuple[int, str] | None:
        """Count the rows of a group; a rule (by place), and its error, that failed for all rows."""
        if self.vain == {} or not rows:
            return None
        errors: dict[int, list[str]] = {}
        for one in found:
            if one.error:
                errors.setdefault(one.rule, []).append(one.error)
        always = {rule: said[0] for rule, said in errors.items() if len(said) == rows}
        kept = always if self.vain is None else {
            rule: said for rule, said in self.vain.items() if rule in always
        }  # fmt: skip
        self.rows, self.vain = self.rows + rows, kept
        if kept and self.rows >= ENOUGH:
            self.vain = {}
            return next(iter(kept.items()))
        return None


@dataclass(slots=True)
class AnswerChecks:
    """Judges the answers of a run. `rows`: those of its requests, for rules that name a column of
    the input. An answer breaks a rule if one of the rows that share it does."""

    rules: JobRules
    judge: GroupJudge
    rows: PendingRows
    wrong_rule: str | None = None
    """The reason for which the run is to stop: a rule that cannot be computed at all."""
    _watch: _Watch = field(default_factory=_Watch)

    def judged(self, group: Sequence[tuple[Completed, Ticket]]) -> list[Outcome]:
        """The answers of a group, or the failures of those that break a rule."""
        asked = list(self._asked(group))
        found = self.judge.broken([one for _, _, one in asked])
        self._note(len(asked), found)
        breaks: dict[int, list[NamedBreak]] = {}
        for each in found:
            place, row, _ = asked[each.row]
            named = NamedBreak(self.rules.rules[each.rule], each.error, row)
            breaks.setdefault(place, []).append(named)
        return [
            failure(outcome, breaks[place]) if place in breaks else outcome
            for place, (outcome, _) in enumerate(group)
        ]

    def _asked(
        self, group: Sequence[tuple[Completed, Ticket]]
    ) -> Iterator[tuple[int, str | None, CheckedAnswer]]:
        """All that is judged: the place of an answer, the id of a row that shares it, and both."""
        positions = [ticket.position for _, ticket in group]
        known = self.rows.of(positions) if self.rules.needs_rows else {}
        for place, (outcome, ticket) in enumerate(group):
            rows: Sequence[NamedRow | None] = known.get(ticket.position) or [None]
            for row in rows:
                name = row.id if row is not None and len(rows) > 1 else None
                yield place, name, _checked(outcome, ticket, row)

    def _note(self, rows: int, found: Sequence[Broken]) -> None:
        if wrong := self._watch.count(rows, found):
            place, error = wrong
            first = units.count(self._watch.rows, "row")
            self.wrong_rule = (
                f"the rule {self.rules.rules[place].name} of [[check]] cannot be computed for any "
                f"of the first {first}: {error}; correct it and run the same command again, the "
                "answers are kept and held to it"
            )


def _checked(outcome: Completed, ticket: Ticket, row: NamedRow | None) -> CheckedAnswer:
    return CheckedAnswer(
        None if row is None else row.data,
        outcome.text,
        outcome.finish_reason,
        ticket.tries.attempts + 1,
        outcome.usage.prompt,
        outcome.usage.output,
        outcome.reasoning,
    )


@contextmanager
def checks_of(db: Database, job: ReadyJob) -> Iterator[AnswerChecks | None]:
    """The checks of a run's answers, for use inside the context; None for a job without rules that
    accept answers. Raises UsageError for a rule that cannot be used."""
    rules = job_rules.make(db, job_rules.acting(job.spec.check), job.task)
    if rules is None:
        yield None
        return
    with BoundedJudge(rules) as judge:
        yield AnswerChecks(rules, judge, PendingRows(db))
