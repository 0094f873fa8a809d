"""A part of the engine dies and the rest goes on: what was lost is answered all the same."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import EngineError
from llmbatch.pipeline.run import supervisor
from llmbatch.store import results
from llmbatch.store.results import Counts
from tests.workbench import Bench, engine, texts


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(supervisor, "_LONGEST_PAUSE", 0.02)


def losses(bench: Bench) -> list[int]:
    """The number of requests in each loss."""
    return [fields["requests"] for name, fields in bench.seen.events if name == "requests_lost"]


def dead(bench: Bench) -> list[tuple[str, str, str]]:
    rows = results.in_input_order(bench.db, ["failed"])
    return [(row["data"], row["kind"], row["message"]) for row in rows]


def test_what_was_lost_once_is_answered_by_the_same_engine(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["LOSE_ONCE:8", *texts(30)])
    assert bench.drive(engine(window=8)) is True
    assert losses(bench) == [8]
    assert bench.counts() == Counts(answered=31)
    assert bench.rounds.next() is None


def test_a_loss_is_no_failed_try(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["LOSE_ONCE:4", *texts(9)], run={"attempts": 1})
    bench.drive(engine(window=4))
    assert bench.counts() == Counts(answered=10)
    assert bench.db.execute("SELECT DISTINCT attempt, verdict FROM attempts") == [(1, "answered")]
    assert bench.settlement.counters.to_retry == 0
    assert bench.settlement.counters.rows_done == 10


def test_what_was_lost_last_runs_in_a_pass_of_its_own(tmp_path: Path) -> None:
    """The feed has ended when it is lost."""
    bench = Bench(tmp_path, ["zzz LOSE_ONCE", *texts(3)])
    bench.drive(engine(window=8))
    assert bench.counts() == Counts(answered=4)


def test_retries_are_not_forgotten_beside_a_loss(tmp_path: Path) -> None:
    said = ["LOSE_ONCE:3", *(f"text {number} LENGTH:3" for number in range(12)), "zz LENGTH:3"]
    bench = Bench(tmp_path, said, sampling={"max_tokens": 2})
    bench.drive(engine(window=4))
    assert bench.counts() == Counts(answered=14)


def test_a_loss_costs_no_start_and_is_no_death(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [f"row {n:02} {'LOSE_ONCE' * (n % 3 == 1)}" for n in range(20)])
    bench.drive(engine(window=4))
    assert bench.counts() == Counts(answered=20)
    assert bench.db.execute("SELECT * FROM engine_deaths") == []
    assert bench.db.scalar("SELECT count(*) FROM engine_starts") == 1


@pytest.mark.parametrize("taken", [1, 4, 16])
@pytest.mark.parametrize("order", ["first", "reverse", "shuffle"])
def test_a_request_that_is_always_lost_becomes_a_dead_letter(
    tmp_path: Path, taken: int, order: str
) -> None:
    """And no other that was lost with it."""
    said = texts(60)
    said[20] = f"text 20 LOSE:{taken}"
    bench = Bench(tmp_path, said)
    assert bench.drive(engine(window=16, order=order)) is True
    assert bench.counts() == Counts(answered=59, failed=1)
    reason = "alone with this request, a replica died: scripted"
    assert dead(bench) == [(f'{{"t":"text 20 LOSE:{taken}"}}', "engine_crash", reason)]
    assert len(losses(bench)) <= 8  # two in any company, then one for each halving of it


def test_several_that_are_always_lost_are_found_and_no_other(tmp_path: Path) -> None:
    said = [f"{text} LOSE:6" if number % 15 == 3 else text for number, text in enumerate(texts(60))]
    bench = Bench(tmp_path, said)
    bench.drive(engine(window=12))
    assert bench.counts() == Counts(answered=56, failed=4)
    assert all("LOSE" in row for row, _, _ in dead(bench))


def test_the_only_request_that_there_is_is_not_sent_for_ever(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["LOSE"])
    bench.drive(engine())
    assert bench.counts() == Counts(failed=1)
    assert len(losses(bench)) <= 5


@pytest.mark.parametrize("after", [0, 25])
def test_an_engine_that_loses_whatever_it_is_given_is_ended(tmp_path: Path, after: int) -> None:
    bench = Bench(tmp_path, texts(400), run={"engine_restarts": 2})
    broken: list[Any] = [engine(lose_after=after if number == 0 else 0) for number in range(9)]
    with pytest.raises(EngineError, match="loses what it is given"):
        bench.drive(*broken)
    assert bench.counts() == Counts(answered=after, pending=400 - after)
    assert bench.db.scalar("SELECT count(*) FROM engine_starts") <= 4


def test_a_stop_leaves_what_was_lost_pending(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["LOSE_ONCE:4", *texts(20)])

    def stop(name: str, **_: Any) -> None:
        if name == "requests_lost":
            bench.stop.request("enough")

    bench.seen.event = stop  # type: ignore[method-assign]
    assert bench.drive(engine(window=4)) is True
    counts = bench.counts()
    assert counts.pending >= 4
    assert counts.failed == 0
