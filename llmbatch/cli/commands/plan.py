"""`llmbatch plan`: what a run would do and take; with a sample, after a part of it was run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from llmbatch.cli import console, narration
from llmbatch.cli.commands import report
from llmbatch.core.errors import ExitCode, UsageError
from llmbatch.estimate import text
from llmbatch.estimate.cache_forecaster import Forecaster
from llmbatch.estimate.preview import Preview, preview
from llmbatch.job import file, folder
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.rows import input_file
from llmbatch.pipeline.run import execute as pipeline
from llmbatch.pipeline.run import preflight
from llmbatch.pipeline.run.preflight import CommandFiles
from llmbatch.sizing import nvidia
from llmbatch.sizing.device import Device

_SIGNALS = (ExitCode.SIGHUP, ExitCode.SIGINT, ExitCode.SIGTERM)


def plan(
    job_file: Path | None,
    flags: dict[str, Any],
    trusted: bool,
    *,
    style: str,
    sample: int | None = None,
    device: str | None = None,
) -> None:
    """Show what a run would do, as text or JSON; run `sample` rows of it first."""
    spec = file.load(job_file, flags, trusted=trusted)
    other = None if device is None else _elsewhere(spec, device)
    if other is not None and spec.cost.devices is None:
        cost = spec.cost.model_copy(update={"devices": other.count})
        spec = spec.model_copy(update={"cost": cost})
    if sample is not None:
        _check_sample(spec, other)
    beside = CommandFiles(file.sources(job_file, flags), report.written(spec))
    job = preflight.make_ready(spec, beside)
    if sample is not None:
        _run(job, sample)
    seen = preview(job, other)
    if style == "json":
        console.data(render(seen))
    else:
        console.show(text.lines(seen))
    if sample is not None:
        # An engine may have left threads, and takes long to be taken apart.
        console.leave_at_once(ExitCode.OK)


def render(seen: Preview) -> str:
    """The plan as JSON."""
    return orjson.dumps(seen.as_json(), option=orjson.OPT_INDENT_2).decode() + "\n"


def _elsewhere(spec: JobSpec, name: str) -> Device:
    """The device of that name: as many of it as the name says, else the engine's options, else
    the job. Raises UsageError where they contradict each other."""
    found, options = nvidia.by_name(name), spec.engine.devices
    if found.count == 1:
        return replace(found, count=options if options > 1 else spec.devices)
    if spec.cost.devices not in (None, found.count):
        raise UsageError(f"--device {name}: the job pays {spec.cost.devices} devices (--devices)")
    if options not in (1, found.count):
        raise UsageError(f"--device {name}: the engine's options spread it over {options} devices")
    return found


def _check_sample(spec: JobSpec, device: Device | None) -> None:
    """Raise UsageError if no part of the job can be run."""
    if device is not None:
        raise UsageError("--sample runs on the device that is there; leave --device out")
    if spec.input == input_file.STDIN or not folder.is_file(Path(spec.input)):
        raise UsageError(f"{spec.input}: a sample needs an input that can be read again: a file")


def _run(job: ReadyJob, sample: int) -> None:
    """Run a part of the job. Raises as a run does; leaves with its exit code after a signal."""
    observer = narration.observer(quiet=False)
    result = pipeline.execute(job, observer, sample=sample, forecaster=Forecaster)
    if result.exit_code in _SIGNALS:
        console.say(f"{result.reason}; {result.counts.pending:,} rows left")
        console.leave_at_once(result.exit_code)
