"""Answers stay, even when something goes wrong after them."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch.cli.narration import Silent
from llmbatch.core.errors import EngineError, UnwrittenError, UsageError
from llmbatch.job import folder
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import execute, preflight
from llmbatch.store import results, run_records
from llmbatch.store.opening import open_store
from llmbatch.store.run_records import RunSummary


class InTheWay(Silent):
    """Puts a folder where the output is to be, once the answers are there."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def phase(self, text: str) -> None:
        if text == "writing the output":
            self._place.mkdir()


def spec(folder: Path, output: str, **changes: Any) -> JobSpec:
    (folder / "in.jsonl").write_text('{"t": "a"}\n{"t": "b"}\n')
    table = {
        "input": str(folder / "in.jsonl"),
        "output": str(folder / output),
        "model": "m",
        "prompt": "{{ t }}",
        "engine": {"name": "tests.scripted_engine:create", **changes.pop("options", {})},
    }
    return JobSpec.model_validate(table | changes)


def summary(job: JobSpec) -> tuple[results.Counts, RunSummary]:
    with open_store(folder.paths_for(job).store, read_only=True) as db:
        return results.counts(db), run_records.summaries(db)[-1]


def test_an_output_that_cannot_be_written_costs_no_answer(tmp_path: Path) -> None:
    job = spec(tmp_path, "taken.jsonl", state=str(tmp_path / "state"))
    with pytest.raises(UnwrittenError, match="the answers are safe in the store"):
        execute.execute(preflight.make_ready(job), InTheWay(tmp_path / "taken.jsonl"))
    counts, last = summary(job)
    assert counts.answered == 2
    assert "cannot be written" in (last.reason or "")
    assert last.exit_code == 4
    ledger = {"ledger": str(tmp_path / "ledger")}
    again = spec(tmp_path, "out.jsonl", state=str(tmp_path / "state"), options=ledger)
    execute.execute(preflight.make_ready(again), Silent())
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2
    assert not (tmp_path / "ledger").exists(), "an answer was computed twice"


def test_an_engine_that_dies_costs_no_answer(tmp_path: Path) -> None:
    job = spec(tmp_path, "out.jsonl", options={"die_after": 1}, run={"engine_restarts": 0})
    with pytest.raises(EngineError, match="scripted after 1 answers"):
        execute.execute(preflight.make_ready(job), Silent())
    counts, last = summary(job)
    assert (counts.answered, counts.pending) == (1, 1)
    assert last.exit_code == 5
    assert last.reason == "engine died: scripted after 1 answers"
    assert not (tmp_path / "out.jsonl").exists()


def test_a_job_that_never_was_one_leaves_no_trace(tmp_path: Path) -> None:
    job = spec(tmp_path, "out.jsonl", prompt="{{ nosuch }}")
    with pytest.raises(UsageError, match="no column 'nosuch'"):
        execute.execute(preflight.make_ready(job), Silent())
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_mistake_in_a_later_run_keeps_the_work_of_the_former(tmp_path: Path) -> None:
    job = spec(tmp_path, "out.jsonl")
    execute.execute(preflight.make_ready(job), Silent())
    with pytest.raises(UsageError):
        wrong = job.model_copy(update={"prompt": "{{ nosuch }}"})
        execute.execute(preflight.make_ready(wrong), Silent())
    assert summary(job)[0].answered == 2
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2
