"""Stored answers are held to other rules without an engine."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import recheck
from llmbatch.pipeline.run.job_rules import JobRules
from llmbatch.pipeline.run.recheck import Rechecked
from llmbatch.quality.rules.judge import RuleJudge
from llmbatch.store import plans, results, run_records
from tests.workbench import Bench, engine

LINES = [{"t": f"text {n}", "n": n} for n in range(1, 6)]


def here(rules: JobRules) -> nullcontext[RuleJudge]:
    """A judge in this process."""
    return nullcontext(RuleJudge(rules.view, [each.rule for each in rules.rules]))


def ran(folder: Path, lines: Any = LINES, **changes: Any) -> Bench:
    """A job whose run is over."""
    bench = Bench(folder, lines, **changes)
    bench.drive(engine())
    return bench


def held_to(bench: Bench, *rules: Any, **run: Any) -> Rechecked:
    """The job with these rules, its stored answers judged by them."""
    spec = with_rules(bench, *rules, **run)
    assert recheck.is_due(bench.db, spec)
    done = recheck.recheck(bench.db, spec, bench.job.task, here)
    bench.counts()  # and the invariants
    return done


def with_rules(bench: Bench, *rules: Any, **run: Any) -> JobSpec:
    table = bench.job.spec.model_dump(mode="json", by_alias=True) | {"check": rules}
    return JobSpec.model_validate(table | {"run": table["run"] | run})


def test_what_holds_no_longer_is_pending_again_and_would_be_another_try(tmp_path: Path) -> None:
    bench = ran(tmp_path)
    assert held_to(bench, "small: n < 4") == Rechecked(judged=5, pending=2)
    assert bench.counts() == results.Counts(answered=3, pending=2)
    tries = [*plans.pending(bench.db).tries.values()]
    assert [(one.attempts, one.since_reopened, one.invalid) for one in tries] == [(2, 1, 1)] * 2
    assert run_records.summaries(bench.db)[-1].reason == "rechecked: 2 rows pending again"


def test_what_fails_for_good_is_a_dead_letter(tmp_path: Path) -> None:
    bench = ran(tmp_path)
    rule = {"name": "small", "rule": "n < 4", "on_fail": "fail", "message": "too large"}
    assert held_to(bench, rule) == Rechecked(judged=5, failed=2)
    assert bench.counts() == results.Counts(answered=3, failed=2)
    rows = list(results.in_input_order(bench.db, ["failed"]))
    assert [(row["message"], row["answer"] is not None) for row in rows] == [
        ("small: too large", True)
    ] * 2
    again = ran(tmp_path / "again", run={"attempts": 1})
    assert held_to(again, "small: n < 4").failed == 2  # no try is left


def test_what_failed_by_a_rule_alone_is_answered_again(tmp_path: Path) -> None:
    bench = ran(tmp_path, check=["small: n < 4"])
    assert bench.counts() == results.Counts(answered=3, failed=2)
    before = list(results.in_input_order(bench.db, ["failed"]))
    assert held_to(bench, "small: n < 5") == Rechecked(judged=3, answered=1)
    assert held_to(bench) == Rechecked(answered=1)
    assert bench.counts() == results.Counts(answered=5)
    after = {row["row"]: row["answer"] for row in results.in_input_order(bench.db, ["answered"])}
    assert [after[row["row"]] for row in before] == [row["answer"] for row in before]


def test_rules_may_change_back_and_forth(tmp_path: Path) -> None:
    bench = ran(tmp_path)
    for _ in range(2):
        assert held_to(bench, "small: n < 4").pending == 2
        assert held_to(bench).answered == 2
    assert bench.counts() == results.Counts(answered=5)


def test_a_request_is_answered_again_only_if_all_of_its_rows_hold(tmp_path: Path) -> None:
    lines = [{"t": "same", "n": n} for n in (1, 2, 3)]
    bench = ran(tmp_path, lines, check=["small: n < 2"])
    assert bench.counts() == results.Counts(failed=3)
    with_two = with_rules(bench, "small: n < 3")
    assert not recheck.recheck(bench.db, with_two, bench.job.task, here)
    assert held_to(bench, "small: n < 4").answered == 3


def test_the_tokens_of_an_answer_are_those_that_it_took(tmp_path: Path) -> None:
    bench = ran(tmp_path)
    assert held_to(bench, "short: output_tokens > 1000").pending == 5
    assert held_to(bench, "short: output_tokens > 0").answered == 5


def test_it_is_due_only_where_rules_or_rows_have_changed(tmp_path: Path) -> None:
    bench = ran(tmp_path, check=["a: n < 9"])
    due = recheck.is_due
    assert not due(bench.db, bench.job.spec)
    assert not due(bench.db, with_rules(bench, {"name": "a", "rule": "n < 9", "message": "m"}))
    flag = {"name": "b", "rule": "false", "on_fail": "flag"}
    assert not due(bench.db, with_rules(bench, "a: n < 9", flag))
    assert due(bench.db, with_rules(bench, "a: n < 8"))
    assert due(bench.db, with_rules(bench, {"name": "a", "rule": "n < 9", "on_fail": "fail"}))
    assert not due(bench.db, with_rules(bench))  # nothing has failed by a rule
    bench.db.execute("UPDATE runs SET plan = 0")
    assert due(bench.db, bench.job.spec)


def test_a_rule_that_cannot_be_computed_changes_nothing(tmp_path: Path) -> None:
    bench = ran(tmp_path, [{"t": f"text {n}"} for n in range(30)])
    with pytest.raises(UsageError, match="check number: cannot be computed for any of the first"):
        held_to(bench, "number: CAST(t AS INTEGER) > 1")
    assert bench.counts() == results.Counts(answered=30)
    assert len(run_records.summaries(bench.db)) == 1
