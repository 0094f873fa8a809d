"""Stored answers held to the rules of a job anew, without an engine.

An answer is accepted under the rules of its day, beside the rows that share its request on that
day. So the answers that the store has are judged again when the rules, or the plan, are others than
those of the newest run: what breaks a rule now is pending again, or failed; what had failed by a
rule alone, and breaks none now, is an answer again. All of it is recorded at once, as a run of its
own that has no engine.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

from llmbatch.core import clock, units
from llmbatch.core.clock import Moment
from llmbatch.core.errors import UsageError
from llmbatch.core.outcomes import NO_TRIES, Completed, Usage, Verdict
from llmbatch.job.checks import CheckRule
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run import job_rules, without_engine
from llmbatch.pipeline.run.answer_checks import (
    ENOUGH,
    FAILED,
    GroupJudge,
    NamedBreak,
    failure,
    message,
)
from llmbatch.pipeline.run.bounded_judge import BoundedJudge
from llmbatch.pipeline.run.counters import Timings
from llmbatch.pipeline.run.decision import decide
from llmbatch.pipeline.run.job_rules import JobRules
from llmbatch.pipeline.tasks.base import Task
from llmbatch.quality.rules.view import CheckedAnswer
from llmbatch.store import plans, rule_rows, run_records, runs
from llmbatch.store.database import Database
from llmbatch.store.rule_query import Broken
from llmbatch.store.rule_rows import LastAttempt, StoredAnswer
from llmbatch.store.runs import Attempt

MakeJudge = Callable[[JobRules], AbstractContextManager[GroupJudge]]

REASON = run_records.RECHECK_REASON
"""The beginning of the reason for which such a run ends."""


@dataclass(frozen=True, slots=True)
class Rechecked:
    """Rows that were judged, of several samples of one each for itself: those that are pending
    again, that have failed, and that are answered again (of one of several samples its share)."""

    judged: int = 0
    pending: float = 0
    failed: float = 0
    answered: float = 0

    def __bool__(self) -> bool:
        return bool(self.pending or self.failed or self.answered)

    @property
    def text(self) -> str:
        """The changes, in a few words."""
        parts = (
            (self.pending, "pending again"),
            (self.failed, "failed"),
            (self.answered, "answered again"),
        )
        told = [f"{units.count(_whole(rows), 'row')} {what}" for rows, what in parts if rows]
        return ", ".join(told) or "nothing has changed"


def _whole(rows: float) -> int:
    return max(1, round(rows))


def is_due(db: Database, spec: JobSpec) -> bool:
    """True if stored answers may have been accepted, or not, under other rules or beside other
    rows than those of now."""
    before, plan = rule_rows.judged_by(db), plans.current(db)
    if before is None or plan is None:
        return False
    wanted = [job_rules.decisive(each) for each in job_rules.acting(spec.check)]
    plan_before, rules_before = before
    kept = [
        job_rules.decisive(each)
        for each in _readable(rules_before)
        if each.on_fail != job_rules.FLAG
    ]
    if kept == wanted and (plan_before == plan.plan or not wanted):
        return False
    return bool(wanted) or rule_rows.has_broken(db)


def if_due(db: Database, job: ReadyJob, phase: Callable[[str], None]) -> None:
    """Judge the stored answers of a job that is planned, before it is run, where that is due."""
    if is_due(db, job.spec):
        phase("holding stored answers to the rules")
        if done := recheck(db, job.spec, job.task, BoundedJudge):
            phase(f"stored answers, held to the rules of [[check]]: {done.text}")


def _readable(kept: Sequence[Any]) -> list[CheckRule]:
    found = []
    for each in kept:
        try:
            found.append(CheckRule.model_validate(each))
        except ValueError:  # of a newer version
            continue
    return found


def recheck(db: Database, spec: JobSpec, task: Task, judge_of: MakeJudge) -> Rechecked:
    """Judge all stored answers of the current plan by the rules that accept answers; `judge_of`
    makes their judge. Raises UsageError for a rule that cannot be used; then nothing has
    changed."""
    started = clock.moment()
    rules = job_rules.make(db, job_rules.acting(spec.check), task)
    if rules is None:
        worse, better, judged = Worse(), _without_rules(db), 0
    else:
        with judge_of(rules) as judge:
            worse, judged = _no_longer(db, rules, judge)
            better = _again(db, rules, judge)
    return _record(db, spec, started, worse, better, judged)


Worse = dict[str, tuple[StoredAnswer, list[NamedBreak]]]
"""Answers that break a rule by now, by the key of their request."""


def _no_longer(db: Database, rules: JobRules, judge: GroupJudge) -> tuple[Worse, int]:
    """The answers that break a rule, and how many were judged."""
    found: Worse = {}
    judged = 0
    for window in rule_rows.accepted(db):
        broken = judge.broken([checked(one) for one in window])
        _require_computable(rules, window, broken, first=judged == 0)
        judged += len(window)
        for each in broken:
            one = window[each.row]
            named = NamedBreak(rules.rules[each.rule], each.error, one.row.id)
            found.setdefault(one.key, (one, []))[1].append(named)
    return found, judged


def _require_computable(
    rules: JobRules, window: Sequence[StoredAnswer], broken: Sequence[Broken], *, first: bool
) -> None:
    """Raise UsageError for a rule that cannot be computed for any of the first rows."""
    if not first or len(window) < ENOUGH:
        return
    errors = [each for each in broken if each.error]
    for place, rule in enumerate(rules.rules):
        of_rule = [each for each in errors if each.rule == place]
        if len(of_rule) == len(window):
            raise UsageError(
                f"check {rule.name}: cannot be computed for any of the first "
                f"{units.count(len(window), 'row')}: {of_rule[0].error}"
            )


def _again(db: Database, rules: JobRules, judge: GroupJudge) -> dict[str, StoredAnswer]:
    """Of requests without an answer the newest that breaks no rule now, by key: for all rows."""
    held: dict[tuple[str, int], StoredAnswer] = {}
    not_held: set[tuple[str, int]] = set()
    for window in rule_rows.broken(db):
        broken = {each.row for each in judge.broken([checked(one) for one in window])}
        for place, one in enumerate(window):
            held[one.key, one.attempt] = one
            if place in broken:
                not_held.add((one.key, one.attempt))
    return _newest(one for place, one in held.items() if place not in not_held)


def _without_rules(db: Database) -> dict[str, StoredAnswer]:
    return _newest(one for window in rule_rows.broken(db) for one in window)


def _newest(answers: Iterable[StoredAnswer]) -> dict[str, StoredAnswer]:
    found: dict[str, StoredAnswer] = {}
    for one in answers:
        if one.key not in found or one.attempt > found[one.key].attempt:
            found[one.key] = one
    return found


def checked(one: StoredAnswer) -> CheckedAnswer:
    """A stored answer as rules take it."""
    return CheckedAnswer(
        one.row.data,
        one.answer,
        one.finish_reason,
        one.attempt,
        one.prompt_tokens,
        one.output_tokens,
        one.reasoning,
    )


def _record(
    db: Database,
    spec: JobSpec,
    started: Moment,
    worse: Worse,
    better: dict[str, StoredAnswer],
    judged: int,
) -> Rechecked:
    """Record what has changed, at once. The attempts have no tokens: nothing was computed."""
    last = rule_rows.last_attempts(db, [*worse, *better])
    attempts: list[Attempt] = []
    rows = dict.fromkeys(Verdict, 0.0)
    for key, (one, breaks) in worse.items():
        shared = breaks if last[key].rows > 1 else [each._replace(row=None) for each in breaks]
        outcome = Completed(key, one.answer, one.finish_reason or "stop", Usage())
        decision = decide(failure(outcome, shared), NO_TRIES, spec.run.attempts)
        attempts.append(_attempt(one, last[key], decision.verdict, message=message(shared)))
        rows[decision.verdict] += last[key].rows
    for key, one in better.items():
        attempts.append(_attempt(one, last[key], Verdict.ANSWERED))
        rows[Verdict.ANSWERED] += last[key].rows
    done = Rechecked(judged, rows[Verdict.RETRY], rows[Verdict.DEAD], rows[Verdict.ANSWERED])
    if attempts:
        reopened = [(one.key, one.settled) for one in last.values() if one.settled is not None]
        plan = plans.current(db)
        assert plan is not None, "the job is planned"
        runs.record_whole(
            db,
            plan.plan,
            started,
            spec.model_dump(mode="json", by_alias=True),
            attempts,
            reopened,
            without_engine.telemetry(len(attempts)),
            f"{REASON}: {done.text}",
            asdict(Timings()),
        )
    return done


def _attempt(
    one: StoredAnswer, last: LastAttempt, verdict: Verdict, message: str | None = None
) -> Attempt:
    return Attempt(
        one.key,
        last.last + 1,
        verdict,
        None if message is None else FAILED,
        message,
        one.finish_reason,
        one.answer,
        0,
        0,
        0,
        one.reasoning,
    )
