"""A store outlives the version that wrote it: the report reads the records of older runs."""

from pathlib import Path

import pytest

from llmbatch.cli.narration import Silent
from llmbatch.job import folder as job_folder
from llmbatch.pipeline.run import execute, preflight
from llmbatch.reports import json
from llmbatch.reports import report as reports_report
from llmbatch.reports.text import job
from llmbatch.store.opening import open_store
from tests.workbench import two_rows


def worked(folder: Path) -> Path:
    """The store of a job of two rows."""
    job = two_rows(folder, cost={"price_per_hour": 3600.0})
    execute.execute(preflight.make_ready(job), Silent())
    return job_folder.paths_for(job).store


def test_a_phase_that_an_older_run_did_not_measure_counts_as_zero(tmp_path: Path) -> None:
    with open_store(worked(tmp_path)) as db:
        db.execute("UPDATE run_ends SET timings = '{\"generate\": 2.5}'")
        report = reports_report.build(db)
    assert report is not None
    assert report.last_run.generate_seconds == 2.5
    assert report.last_run.engine_stop_seconds == 0


def test_what_an_older_run_had_not_counted_is_not_made_up(tmp_path: Path) -> None:
    """Neither its checkpoints nor its settings know anything that was added later."""
    with open_store(worked(tmp_path)) as db:
        db.execute("UPDATE checkpoints SET telemetry = '{\"prompt_tokens\": 2}'")
        db.execute(
            "UPDATE runs SET spec = json_merge_patch(spec, ?)",
            ['{"cost": {"price_per_million": null, "listed_price": null, "attribute_by": null}}'],
        )
        assert "attribute_by" not in db.scalar("SELECT spec FROM runs")
        report = reports_report.build(db)
    assert report is not None
    (only,) = report.runs
    assert (only.latency, only.resources, only.moments.steps) == ([], None, 0)
    assert (only.weights.measured, only.weights.prompt) == (False, only.weights.output)
    assert report.costs.physical == pytest.approx(only.seconds)
    assert report.attribution is None
    assert json.render(report)
    assert "USD" in job.render(report)


def test_what_the_processes_and_the_devices_used(tmp_path: Path) -> None:
    used = (
        '{"resources": {"cpu_seconds": 12.5, "memory_bytes": 1, "peak_memory_bytes": 1610612736,'
        ' "gpu_utilization": 0.83, "gpu_memory_bytes": 85899345920, "energy_joules": 9000000}}'
    )
    with open_store(worked(tmp_path)) as db:
        db.execute("UPDATE checkpoints SET telemetry = ?", [used])
        report = reports_report.build(db)
    assert report is not None
    assert report.resources is not None
    assert report.resources.energy_joules == 9_000_000
    assert (
        "used        CPU time 12.5 s, peak memory 1.5 GiB, mean GPU utilization 83 %, "
        "GPU memory 80.0 GiB, energy 2.5 kWh\n" in job.render(report)
    )
