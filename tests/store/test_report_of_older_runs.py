"""A store outlives the version that wrote it: the report must read what older runs noted."""

from pathlib import Path

from llmbatch.cli.narration import Silent
from llmbatch.core.spec import JobSpec
from llmbatch.pipeline import paths, run
from llmbatch.reports import model
from llmbatch.store.database import Database


def test_a_phase_that_an_older_run_did_not_measure_counts_as_zero(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"t": "a"}\n')
    table = {
        "input": str(tmp_path / "in.jsonl"),
        "output": str(tmp_path / "out.jsonl"),
        "model": "m",
        "prompt": "{{ t }}",
        "engine": {"name": "tests.scripted_engine:create"},
    }
    job = JobSpec.model_validate(table)
    run.execute(job, Silent())
    with Database.open(paths.of_spec(job).store) as db:
        db.execute("UPDATE run_ends SET timings = '{\"generate\": 2.5}'")
        report = model.build(db)
    assert report is not None
    assert report.last_run.generate_seconds == 2.5
    assert report.last_run.engine_stop_seconds == 0
