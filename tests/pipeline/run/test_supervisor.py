"""The engine dies, hangs, does not start again: the run goes on, or says why it cannot."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import EngineError
from llmbatch.pipeline.run import supervisor
from llmbatch.pipeline.run.isolation import LONE_DEATHS
from llmbatch.store import results, run_records
from llmbatch.store.results import Counts
from tests.scripted_engine import ScriptedEngine
from tests.workbench import Bench, engine, texts


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(supervisor, "_LONGEST_PAUSE", 0.02)


def engines(count: int, **options: Any) -> list[ScriptedEngine]:
    return [engine(**options) for _ in range(count)]


def failures(bench: Bench) -> dict[str, str]:
    rows = results.in_input_order(bench.db, ["failed"])
    return {row["data"]: row["kind"] for row in rows}


def deaths(bench: Bench) -> list[tuple[str, int]]:
    return bench.db.execute("SELECT reason, in_flight FROM engine_deaths")


def test_after_a_death_the_rest_is_answered_in_the_same_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(50))
    assert bench.drive(*engines(3, die_after=20)) is True
    assert bench.counts() == Counts(answered=50)
    assert deaths(bench) == [("engine died: scripted after 20 answers", 8)] * 2
    assert len(run_records.starts(bench.db)) == 3
    assert [name for name, _ in bench.seen.events if name.startswith("engine")] == [
        "engine_started",
        "engine_died",
        "engine_restarted",
        "engine_died",
        "engine_restarted",
    ]


def test_ten_deaths_in_one_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(110))
    bench.drive(*engines(11, die_after=10))
    assert bench.counts() == Counts(answered=110)
    assert len(deaths(bench)) == 10


def test_a_poison_request_in_a_window_of_256_is_found_by_halving(tmp_path: Path) -> None:
    said = texts(600)
    said[300] = "KILL"
    bench = Bench(tmp_path, said)
    bench.drive(*engines(11, window=256))
    assert bench.counts() == Counts(answered=599, failed=1)
    assert failures(bench) == {'{"t":"KILL"}': "engine_crash"}
    # Two with the whole window, then one for each halving of it: 2 + log2(256).
    assert len(deaths(bench)) == 10
    sizes = [size for _, size in deaths(bench)]
    assert sizes[:2] == [256, 256]
    assert all(later <= sooner / 2 for sooner, later in pairwise(sizes[1:]))
    assert sizes[-1] == 1


@pytest.mark.parametrize("order", ["first", "reverse", "shuffle"])
def test_several_poison_requests_are_found_and_no_other(tmp_path: Path, order: str) -> None:
    said = texts(100)
    poison = {0: "KILL 0", 1: "KILL 1", 50: "KILL 50", 99: "KILL 99"}
    for place, text in poison.items():
        said[place] = text
    bench = Bench(tmp_path, said)
    bench.drive(*engines(60, window=16, order=order))
    assert bench.counts() == Counts(answered=96, failed=4)
    assert set(failures(bench)) == {f'{{"t":"{text}"}}' for text in poison.values()}


def test_each_of_several_poison_requests_is_told_by_what_it_did(tmp_path: Path) -> None:
    # The last one planned is the first probe against the other, so both are accused at a time.
    said = texts(10)
    said[5], said[9] = "text 5 KILL", "text 9 STALL"
    bench = Bench(tmp_path, said, run={"stall_timeout": 0.3})
    bench.drive(*engines(20, window=2))
    assert bench.counts() == Counts(answered=8, failed=2)
    assert failures(bench) == {
        '{"t":"text 5 KILL"}': "engine_crash",
        '{"t":"text 9 STALL"}': "timeout",
    }


def test_the_only_request_left_has_no_probe_and_is_tried_more_often(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["KILL"])
    bench.drive(*engines(9))
    assert bench.counts() == Counts(failed=1)
    assert len(deaths(bench)) == 1 + LONE_DEATHS


def test_an_engine_that_dies_on_everything_makes_no_dead_letters(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(100))
    with pytest.raises(EngineError, match="did not answer"):
        bench.drive(*engines(99, die_after=0, window=16))
    assert bench.counts() == Counts(pending=100)
    assert [size for _, size in deaths(bench)] == [16, 16] + [1] * LONE_DEATHS  # its probes


def test_a_poison_request_is_written_off_once_the_probe_has_answered(tmp_path: Path) -> None:
    # It is always the first of its company, so nothing is answered before it dies alone.
    bench = Bench(tmp_path, ["KILL", *texts(20)])
    bench.drive(*engines(20, window=8))
    assert bench.counts() == Counts(answered=20, failed=1)


def test_a_restart_that_fails_is_tried_again_and_not_for_ever(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(10), run={"engine_restarts": 3})
    broken = engines(2, start_error="no memory yet")
    assert bench.drive(engine(die_after=5), *broken, engine()) is True
    assert bench.counts() == Counts(answered=10)
    other = Bench(tmp_path / "other", texts(10), run={"engine_restarts": 3})
    with pytest.raises(EngineError, match="no memory"):
        other.drive(engine(die_after=5), *engines(4, start_error="no memory"), engine())
    assert other.counts() == Counts(answered=5, pending=5)


def test_a_stop_while_a_restart_fails_is_a_stop(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(10))

    def stop_when_it_fails(name: str, **_: Any) -> None:
        if name == "engine_failed_to_start":
            bench.stop.request("stopped")

    bench.seen.event = stop_when_it_fails  # type: ignore[method-assign]
    assert bench.drive(engine(die_after=5), engine(start_error="no memory")) is True
    assert bench.counts() == Counts(answered=5, pending=5)


def test_the_first_start_is_not_tried_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(3))
    with pytest.raises(EngineError, match="no device"):
        bench.drive(engine(start_error="no device"))


def test_an_engine_that_hangs_is_ended_and_the_rest_goes_on(tmp_path: Path) -> None:
    said = texts(20)
    said[5] = "STALL"
    bench = Bench(tmp_path, said, run={"stall_timeout": 0.3})
    bench.drive(*engines(8, window=4))
    assert bench.counts() == Counts(answered=19, failed=1)
    assert failures(bench) == {'{"t":"STALL"}': "timeout"}
    assert "made no progress for 0.3 s" in deaths(bench)[0][0]


def test_slow_progress_is_no_stall(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(4), run={"stall_timeout": 0.5})
    bench.drive(engine(delay=0.3, window=4))
    assert bench.counts() == Counts(answered=4)
    assert deaths(bench) == []


def test_a_death_while_the_run_stops_is_no_error(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(50))
    bench.seen.at_first = lambda: bench.stop.request("enough")
    assert bench.drive(engine(die_after=8, window=8, delay=0.01)) is True
    assert bench.counts().answered == 8


def test_the_counters_of_all_engines_are_summed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, texts(30))
    bench.drive(*engines(3, die_after=12))
    last = bench.db.scalar("SELECT telemetry FROM checkpoints ORDER BY checkpoint DESC LIMIT 1")
    assert '"steps":30' in last
