"""Jobs run in this process, and their reports as values."""

import json
from pathlib import Path
from typing import Any

from llmbatch.cli.narration import Silent
from llmbatch.estimate.cache_forecaster import Forecaster
from llmbatch.job import folder as job_folder
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import execute, preflight
from llmbatch.reports import report as job_report
from llmbatch.reports.report import Report
from llmbatch.store.opening import open_store
from tests.cli.command import ENGINE


def work(folder: Path, rows: list[str], *, sample: int | None = None, **changes: Any) -> Report:
    """Run the job to its end, or a `sample` of it, with `changes` in its tables, and build its
    report."""
    (folder / "in.jsonl").write_text("".join(json.dumps({"t": row}) + "\n" for row in rows))
    table: dict[str, Any] = {
        "input": str(folder / "in.jsonl"),
        "output": str(folder / "out.jsonl"),
        "model": "m",
        "prompt": "{{ t }}",
        "engine": {"name": ENGINE, "counter": str(folder / "counter")} | changes.pop("engine", {}),
    }
    spec = JobSpec.model_validate(table | changes)
    ready = preflight.make_ready(spec)
    execute.execute(ready, Silent(), sample_size=sample, forecaster=Forecaster)
    return read(job_folder.paths_for(spec).store)


def read(store: Path) -> Report:
    with open_store(store, read_only=True) as db:
        report = job_report.build(db)
    assert report is not None
    return report
