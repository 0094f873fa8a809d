"""Settled outcomes are committed by count or by time, and a hung engine is ended."""

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson
import pytest

from llmbatch.core import clock, latency_histogram
from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Lost, Outcome
from llmbatch.core.records import Request
from llmbatch.core.step_cost import StepMoments, fit
from llmbatch.engines.base import LONGEST_HOLD
from llmbatch.engines.config import EngineConfig
from llmbatch.pipeline.monitoring.progress import Progress
from llmbatch.store import results, run_records
from tests import scripted_engine
from tests.scripted_engine import ScriptedEngine
from tests.workbench import Bench, engine, texts

NO_RESTART = {"engine_restarts": 0}


def test_outcomes_are_committed_by_count(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(8), run={"checkpoint_rows": 3, "checkpoint_seconds": 3600})
    assert bench.drive(engine()) is True
    assert bench.checkpoints() == [3, 3, 2]
    assert bench.counts() == results.Counts(answered=8)


def test_outcomes_are_committed_by_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(6), run={"checkpoint_seconds": 0.05})
    bench.drive(engine(delay=0.06, window=2))
    assert len(bench.checkpoints()) >= 2
    assert bench.counts().answered == 6


def test_a_straggler_holds_nothing_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(5), run={"checkpoint_seconds": 0.1})
    watching = bench.db.cursor()
    committed: list[int] = []

    class Straggling(ScriptedEngine):
        """Gives its last outcome only when the others are committed, or after ten seconds."""

        def run(self, requests: Iterable[Request]) -> Iterator[Outcome | Lost]:
            *others, last = list(super().run(requests))
            yield from others
            give_up = clock.seconds() + 10
            pause = threading.Event()
            while not pause.wait(0.02) and clock.seconds() < give_up:
                committed[:] = [watching.scalar("SELECT count(*) FROM attempts")]
                if committed == [4]:
                    break
            yield last

    bench.drive(Straggling(EngineConfig("m"), scripted_engine.Options(window=5)))
    assert committed == [4]
    assert bench.counts().answered == 5


def test_a_checkpoint_holds_what_became_of_each_request(tmp_path: Path) -> None:
    said = ["fine text", "FAIL:too_long", "LENGTH", "INVALID"]
    bench = Bench(tmp_path, said, answer={"choice": ["yes", "no"]})
    bench.drive(engine())
    held = {row["kind"]: row for row in results.in_input_order(bench.db, ["answered", "failed"])}
    assert {kind: row["answer"] for kind, row in held.items()} == {
        None: "yes",
        "too_long": None,
        "truncated": "yes",
        "invalid_output": "not a valid answer",
    }
    assert held["truncated"]["finish_reason"] == "length"
    fine = held[None]
    assert (fine["prompt_tokens"], fine["output_tokens"], fine["attempt"]) == (2, 1, 1)
    assert bench.counts() == results.Counts(answered=1, failed=3)
    (telemetry,) = bench.db.execute("SELECT telemetry FROM checkpoints")[0]
    assert orjson.loads(telemetry)["steps"] == 4


def test_a_checkpoint_tells_of_steps_and_of_times_in_flight(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(30))
    bench.drive(engine(slots=4, window=8, step_delay=0.01, prefill_delay=0.002, cache=0.5))
    (told,) = bench.db.execute(
        "SELECT telemetry FROM checkpoints ORDER BY checkpoint DESC LIMIT 1"
    )[0]
    telemetry = orjson.loads(told)
    assert sum(telemetry["latency"]) == 30
    median = latency_histogram.quantile(telemetry["latency"], 0.5)
    assert median is not None
    assert 0.03 < median < 0.4
    moments = StepMoments.from_json(telemetry["moments"])
    assert (moments.steps, moments.s) == (telemetry["steps"], telemetry["sequences"])
    assert moments.p == telemetry["prompt_tokens"]
    cost = fit(moments)
    assert cost is not None
    assert 0.008 < cost.per_step + 4 * cost.per_sequence < 0.02
    assert 0.001 < cost.per_prefill_token < 0.003
    assert telemetry["resources"] is None, "nothing is measured here"
    assert bench.seen.last is not None
    assert bench.seen.last.cost is None


def test_what_was_refused_counts_in_no_speed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["a", "FAIL:too_long", "b", "FAIL:refused_request", "one two three"])
    bench.drive(engine(max_model_len=3))
    (told,) = bench.db.execute(
        "SELECT telemetry FROM checkpoints ORDER BY checkpoint DESC LIMIT 1"
    )[0]
    telemetry = orjson.loads(told)
    assert sum(telemetry["latency"]) == 2
    assert telemetry["prompt_tokens"] == bench.settlement.counters.prompt_tokens == 2


def test_moments_and_times_add_up_over_engines(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(20))
    counter = str(tmp_path / "counter")
    options = {"delay": 0.002, "die_after": 6, "die_times": 2, "counter": counter}
    bench.drive(*(engine(**options) for _ in range(4)))
    (told,) = bench.db.execute(
        "SELECT telemetry FROM checkpoints ORDER BY checkpoint DESC LIMIT 1"
    )[0]
    telemetry = orjson.loads(told)
    assert bench.counts().answered == 20
    assert sum(telemetry["latency"]) == 20
    assert telemetry["moments"]["p"] == telemetry["prompt_tokens"]


def test_rows_that_share_a_request_are_counted_each(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["same", "same", "other", "FAIL:x", "FAIL:x"])
    bench.drive(engine())
    assert bench.seen.last is not None
    assert (bench.seen.last.rows_done, bench.seen.last.failed) == (5, 2)
    assert bench.checkpoints() == [3]


def test_phases_and_times_are_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(4))
    bench.drive(engine(start_delay=0.1, delay=0.05))
    assert bench.seen.phases == ["starting the engine", "generating"]
    assert bench.timings.engine_start >= 0.1
    assert bench.timings.generate >= 0.2
    assert 0 < bench.timings.checkpoint < bench.timings.generate
    assert run_records.starts(bench.db)[0].run == bench.run


def test_what_settled_is_committed_before_an_engine_error_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(6), run=NO_RESTART)
    with pytest.raises(EngineError, match="scripted after 3 answers"):
        bench.drive(engine(die_after=3))
    assert bench.counts() == results.Counts(answered=3, pending=3)
    assert bench.timings.generate > 0


def test_an_engine_that_does_not_start_leaves_all_pending(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(2))
    with pytest.raises(EngineError, match="no device"):
        bench.drive(engine(start_error="no device"))
    assert bench.counts() == results.Counts(pending=2)
    assert bench.timings.generate == 0


def test_a_stop_drains_what_is_in_flight(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(50))
    bench.seen.at_first = lambda: setattr(bench.stop, "drain", True)
    assert bench.drive(engine(window=4, delay=0.02)) is True
    assert bench.seen.phases[-1].startswith("stopping")
    counts = bench.counts()
    assert 4 <= counts.answered < 50
    assert counts.answered + counts.pending == 50


def test_a_second_stop_keeps_what_settled_and_gives_up_the_rest(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(50), run={"checkpoint_seconds": 3600})

    def stop() -> None:
        bench.stop.drain = True
        bench.stop.at_once = True

    bench.seen.at_first = stop
    assert bench.drive(engine(window=40, delay=0.05)) is True
    assert 1 <= bench.counts().answered < 20


def test_a_stop_while_the_engine_starts_computes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(3))
    bench.stop.drain = True
    assert bench.drive(engine(start_delay=0.3)) is True
    assert bench.counts() == results.Counts(pending=3)


def test_the_next_pass_computes_only_what_is_left(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(6), run=NO_RESTART)
    with pytest.raises(EngineError):
        bench.drive(engine(die_after=2))
    bench.db.close()
    again = Bench(tmp_path, texts(6))
    ledger = tmp_path / "ledger"
    again.drive(engine(ledger=str(ledger)))
    assert len(ledger.read_text().split()) == 4
    assert again.counts() == results.Counts(answered=6)


def test_time_for_which_the_engine_is_held_back_is_no_hang(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(1), run={"stall_timeout": 0.2} | NO_RESTART)
    assert bench.drive(engine(held_back=0.5)) is True
    assert bench.counts().answered == 1


def test_an_engine_that_does_nothing_after_its_hold_is_hung(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(2), run={"stall_timeout": 0.2} | NO_RESTART)
    began = clock.seconds()
    with pytest.raises(EngineError, match="made no progress"):
        # It is held back for ten seconds and claims half of one.
        bench.drive(engine(held_back=10.0, held_back_says=-9.5))
    assert 0.7 <= clock.seconds() - began < 5


def test_a_hold_of_more_than_an_hour_is_not_believed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(2), run={"stall_timeout": 0.2} | NO_RESTART)
    with pytest.raises(EngineError, match="made no progress"):
        bench.drive(engine(held_back=10.0, held_back_says=2 * LONGEST_HOLD))


def shown(bench: Bench, engine: ScriptedEngine) -> list[Progress]:
    """All progress of a run."""
    seen: list[Progress] = []
    bench.seen.progress = seen.append  # type: ignore[method-assign,assignment]
    bench.drive(engine)
    return seen


def test_a_hold_is_shown_while_it_lasts(tmp_path: Path) -> None:
    seen = shown(Bench(tmp_path, texts(1)), engine(held_back=0.45))
    held = [one.held_back_seconds for one in seen if one.held_back_seconds is not None]
    assert 0 < min(held) <= max(held) <= 0.45
    assert seen[-1].held_back_seconds is None


def test_a_hold_that_is_not_believed_is_not_shown(tmp_path: Path) -> None:
    slow = engine(held_back=0.45, held_back_says=2 * LONGEST_HOLD)
    seen = shown(Bench(tmp_path, texts(1)), slow)
    assert len(seen) > 1
    assert {one.held_back_seconds for one in seen} == {None}


def test_a_hold_is_not_stored(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(2))
    bench.drive(engine(held_back=0.01))
    (told,) = bench.db.execute("SELECT DISTINCT telemetry FROM checkpoints")[-1]
    assert "held_back_until" not in orjson.loads(told)
