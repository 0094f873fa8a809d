"""An answer that breaks a rule is tried again, or fails, and none waits long to be judged."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from llmbatch.core.outcomes import Lost, Outcome
from llmbatch.core.records import Request
from llmbatch.engines.config import EngineConfig
from llmbatch.job.checks import CheckRule
from llmbatch.pipeline.run import rule_figures
from llmbatch.pipeline.run.answer_checks import NamedBreak, message
from llmbatch.store import results
from tests import scripted_engine
from tests.scripted_engine import ScriptedEngine
from tests.workbench import Bench, engine, texts

# The first try of the scripted engine is an answer; another seed gives another one.
FIRST = "attempts > 1"


def verdicts(bench: Bench) -> list[tuple[str, str | None]]:
    found = bench.db.execute("SELECT verdict, message FROM attempts ORDER BY key, attempt")
    return [(verdict, said) for verdict, said in found]


def test_an_answer_that_breaks_a_rule_is_tried_again_in_the_same_round(tmp_path: Path) -> None:
    runs = []

    class Counting(ScriptedEngine):
        """Counts the feeds that it gets."""

        def run(self, requests: Iterable[Request]) -> Iterator[Outcome | Lost]:
            runs.append(1)
            return super().run(requests)

    bench = Bench(tmp_path, texts(20), check=[f"later: {FIRST}"])
    assert bench.drive(Counting(EngineConfig("m"), scripted_engine.Options(window=2)))
    assert bench.counts() == results.Counts(answered=20)
    assert verdicts(bench)[:2] == [("retry", f"later: does not hold: {FIRST}"), ("answered", None)]
    assert len(runs) <= 2  # the last ones may come when the engine has its last request already


def test_a_rule_that_fails_makes_a_dead_letter_at_once(tmp_path: Path) -> None:
    rules = [
        {"name": "no", "rule": "t <> 'text 1'", "on_fail": "fail", "message": "not this one"},
        {"name": "fine", "rule": "length(response) > 0"},
    ]
    bench = Bench(tmp_path, texts(3), check=rules, run={"attempts": 3})
    bench.drive(engine())
    assert bench.counts() == results.Counts(answered=2, failed=1)
    assert ("dead", "no: not this one") in verdicts(bench)
    assert rule_figures.lines(bench.db, bench.job.spec.check) == [
        "check no: broken by 1 answer, 1 row failed for it"
    ]


def test_a_rule_that_only_flags_decides_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(3), check=[{"name": "n", "rule": "false", "on_fail": "flag"}])
    bench.drive(engine())
    assert bench.counts() == results.Counts(answered=3)


def test_an_answer_has_to_hold_for_all_rows_that_share_it(tmp_path: Path) -> None:
    lines = [{"t": "same", "n": n} for n in (1, 2, 3)] + [{"t": "other", "n": 4}]
    bench = Bench(tmp_path, lines, check=[{"name": "n", "rule": "n <> 2", "on_fail": "fail"}])
    bench.drive(engine())
    assert bench.counts() == results.Counts(answered=1, failed=3)
    assert ("dead", "n: does not hold: n <> 2 (row 2)") in verdicts(bench)


@pytest.mark.parametrize(("window", "rows"), [(1, 7), (3, 1), (50, 7)])
def test_checkpoints_are_no_larger_and_no_later(tmp_path: Path, window: int, rows: int) -> None:
    bench = Bench(tmp_path, texts(20), check=["fine: true"], run={"checkpoint_rows": rows})
    bench.drive(engine(window=window))
    assert bench.counts() == results.Counts(answered=20)
    assert max(bench.checkpoints()) <= max(rows, min(rows, window) + rows)
    assert sum(bench.checkpoints()) == 20


def test_what_waits_is_judged_and_kept_when_the_engine_dies(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(20), check=["fine: true"])
    bench.drive(engine(die_after=5, window=10), engine(window=10))
    assert bench.counts() == results.Counts(answered=20)
    assert bench.db.scalar("SELECT count(*) FROM attempts WHERE attempt > 1") == 0


def test_a_rule_that_cannot_be_computed_stops_the_run_and_loses_no_answer(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(60), check=["number: CAST(t AS INTEGER) > 0"])
    bench.drive(engine(window=5))
    assert bench.stop.drain
    assert (bench.stop.reason or "").startswith(
        "the rule number of [[check]] cannot be computed for any of the first "
    )
    assert bench.counts().pending == 60
    assert bench.db.scalar("SELECT count(answer) FROM attempts") >= 20


def test_one_error_among_other_rows_fails_that_row(tmp_path: Path) -> None:
    lines = [{"t": "1"}, {"t": "x"}] + [{"t": str(n)} for n in range(2, 40)]
    bench = Bench(tmp_path, lines, check=["number: CAST(t AS INTEGER) > 0"])
    bench.drive(engine())
    assert bench.counts() == results.Counts(answered=39, failed=1)
    assert not bench.stop.drain


def test_a_message_has_each_rule_once() -> None:
    one, two = CheckRule(name="a", rule="x"), CheckRule(name="b", rule="y\n z", message="m")
    found = [NamedBreak(one, None, "7"), NamedBreak(one, None, "8"), NamedBreak(two, "why\n?")]
    assert message(found) == "a: does not hold: x (row 7); b: cannot be computed: why\n?"


def test_a_failed_outcome_is_not_judged(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["FAIL:too_long", "fine"], check=["never: false"])
    bench.drive(engine())
    kinds = bench.db.execute("SELECT DISTINCT kind FROM attempts ORDER BY kind")
    assert kinds == [("check_failed",), ("too_long",)]
