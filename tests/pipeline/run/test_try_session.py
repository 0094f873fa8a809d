"""A try answers some rows for good, and leaves the job's own rows, plan and output alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmbatch.cli import narration, try_view
from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run import preflight
from llmbatch.pipeline.run.execute import execute
from llmbatch.pipeline.run.try_session import TriedRows, TryResult, TrySession
from llmbatch.store import results, run_records
from llmbatch.store.opening import open_store

ROWS = 12


class Bench:
    """A job with the scripted engine, which keeps a ledger of what it computes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.input = folder / "in.csv"
        self.input.write_text("id,text\n" + "".join(f"{n},w{n}\n" for n in range(1, ROWS + 1)))
        self.state = folder / "out.llmbatch"

    def job(self, prompt: str = "{{ text }}", **changes: Any) -> ReadyJob:
        engine = {"name": "tests.scripted_engine:create", "ledger": str(self.folder / "ledger")}
        engine |= changes.pop("engine", {})
        table = {"input": str(self.input), "output": str(self.folder / "out.jsonl"), "model": "m"}
        return preflight.make_ready(
            JobSpec.model_validate(table | {"prompt": prompt, "engine": engine} | changes)
        )

    def computed(self) -> int:
        ledger = self.folder / "ledger"
        found = len(ledger.read_text().splitlines()) if ledger.exists() else 0
        ledger.unlink(missing_ok=True)
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def session(bench: Bench) -> Iterator[TrySession]:
    with TrySession(bench.job(), narration.Silent()) as session:
        yield session


def ids(result: TryResult) -> list[str]:
    return [row["id"] for row in result.rows]


def test_rows_are_spread_or_the_first_or_those_that_keep_a_condition(
    bench: Bench, session: TrySession
) -> None:
    job = bench.job()
    assert ids(session.answer(job, TriedRows(3))) == ["4", "8", "12"]
    assert ids(session.answer(job, TriedRows(3, first=True))) == ["2", "3", "4"]
    chosen = session.answer(job, TriedRows(9, where="text LIKE 'w1%'"))
    assert (ids(chosen), chosen.matching, chosen.input_rows) == (["2", "11", "12", "13"], 4, ROWS)
    assert ids(session.answer(job, TriedRows(99))) == [str(n) for n in range(2, ROWS + 2)]


def test_nothing_is_paid_for_twice_and_a_run_does_the_rest(bench: Bench) -> None:
    with TrySession(bench.job(), narration.Silent()) as session:
        first = session.answer(bench.job(), TriedRows(3))
        again = session.answer(bench.job(), TriedRows(3))
        session.answer(bench.job("Say {{ text }}"), TriedRows(3))
    assert (first.counts.answered, first.before, again.before) == (3, 0, 3)
    assert not (bench.folder / "out.jsonl").exists()
    assert bench.computed() == 6
    assert execute(bench.job(), narration.Silent()).counts.answered == ROWS
    assert bench.computed() == ROWS - 3
    with open_store(bench.state / "job.duckdb") as db:
        assert set(results.violations(db).values()) == {0}


def test_the_job_stays_as_it_was(bench: Bench) -> None:
    execute(bench.job(), narration.Silent())
    output = (bench.folder / "out.jsonl").read_bytes()
    with TrySession(bench.job(), narration.Silent()) as session:
        session.answer(bench.job("Say {{ text }}"), TriedRows(2))
    assert (bench.folder / "out.jsonl").read_bytes() == output
    assert {path.name for path in bench.state.iterdir()} >= {"job.duckdb", "journal"}
    assert not (bench.state / "part").exists()
    with open_store(bench.state / "job.duckdb", read_only=True) as db:
        assert (results.counts(db).answered, results.counts(db).pending) == (ROWS, 0)


def test_long_rows_of_a_try_do_not_replace_those_of_the_job(bench: Bench) -> None:
    bench.input.write_text("id,text\n" + "".join(f"{n},{str(n) * 20_000}\n" for n in (1, 2, 3)))
    execute(bench.job(), narration.Silent())
    before = {path.name: path.read_bytes() for path in bench.state.glob("texts.*")}
    assert before
    with TrySession(bench.job(), narration.Silent()) as session:
        assert session.answer(bench.job("Say {{ text }}"), TriedRows(2)).counts.answered == 2
    assert {path.name: path.read_bytes() for path in bench.state.glob("texts.*")} == before


def test_failures_and_skipped_rows_are_shown(bench: Bench, session: TrySession) -> None:
    bench.input.write_text('id,text\n1,"FAIL:truncated, much"\n2,\n3,three\n')
    shown = "\n".join(try_view.lines(session.answer(bench.job(), TriedRows(3)), 80))
    assert "FAILED  scripted failure (truncated)" in shown
    assert "SKIPPED" in shown
    assert "text    three" in shown
    assert "1 answered, 1 failed, 1 skipped" in shown


def test_a_template_that_cannot_be_used_leaves_no_job_behind(bench: Bench) -> None:
    with (
        pytest.raises(UsageError, match="no column 'txt'"),
        TrySession(bench.job(), narration.Silent()) as session,
    ):
        session.answer(bench.job("{{ txt }}"), TriedRows(2))
    assert not bench.state.exists()


def test_the_engine_stays_up_and_its_start_counts_once(bench: Bench) -> None:
    starts = bench.folder / "starts"
    job = bench.job(engine={"start_delay": 0.2})
    with TrySession(job, narration.Silent()) as session:
        assert session.answer(job, TriedRows(2)).start_seconds >= 0.2
        changed = bench.job("Say {{ text }}", engine={"start_delay": 0.2})
        assert session.answer(changed, TriedRows(2)).start_seconds == 0
    assert not starts.exists()
    with open_store(bench.state / "job.duckdb", read_only=True) as db:
        kept = run_records.starts(db)
        assert [start.was_running for start in kept] == [False, True]
        assert kept[1].seconds == 0
        assert db.scalar("SELECT count(*) FROM run_ends") == 2
