"""`llmbatch plan`: what a run would do and take; with a sample, after a part of it was run."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmbatch.cli import console, job_list
from llmbatch.cli.options import JobArguments, JobCommand, job_options, text_or_json
from llmbatch.core.errors import ExitCode, LlmbatchError, UsageError
from llmbatch.core.units import count

if TYPE_CHECKING:
    from llmbatch.estimate.preview import Preview
    from llmbatch.job.spec import JobSpec
    from llmbatch.pipeline.prompts.ready_job import ReadyJob
    from llmbatch.pipeline.run.execute import RunResult
    from llmbatch.sizing.device import Device

_SIGNALS = (ExitCode.SIGHUP, ExitCode.SIGINT, ExitCode.SIGTERM)


_FIRST = (
    "--model",
    "--prompt",
    "--output",
    "--choice",
    "--schema",
    "--max-tokens",
    "--limit",
    "--sample",
    "--device",
    "--price-per-hour",
)
_EXAMPLE = """\
  llmbatch plan tickets.csv -m Qwen/Qwen3-8B -p "Classify: {{ text }}" \\
      --choice billing --choice refund -o answers.csv --device H100 --price-per-hour 2.50
"""


@click.command(cls=JobCommand, first=_FIRST, example=_EXAMPLE)
@job_options
@text_or_json
@click.option(
    "--sample",
    type=click.IntRange(1, 2**31 - 1),
    metavar="N",
    help="Run N rows first, spread over the job, and keep their answers.",
)
@click.option("--device", metavar="NAME", help="Plan for a device that is not here: H100, L4, ...")
@click.option("--whole-prompt", is_flag=True, help="Show the first prompt whole, however long.")
@console.reported
def plan(
    job: tuple[str, ...],
    style: str,
    sample: int | None,
    device: str | None,
    whole_prompt: bool,
    **given: Any,
) -> None:
    """Show what a run would do, take and cost.

    Without --sample nothing is computed and nothing written. With it some rows are run for real,
    as the first part of the job, and the plan goes by them; the output appears only when all rows
    are done, so `llmbatch run` finishes the job.

    Without --sample the output (-o) may be left out: then answers of earlier runs are not looked
    for. Several job files, or a folder of them, are planned one by one; that they may share an
    engine is not counted. What a run would refuse is refused here, with the same line.
    """
    shown = _Shown(style, whole_prompt)
    if names := job_list.names(job, given):
        if sample is not None:
            raise UsageError(f"--sample: is of one job, and there are {len(names)}: leave it out")
        console.leave(_plan_all(names, given, device, shown))
    arguments = JobArguments.parse(job, given)
    if sample is None:
        _show(_plan(arguments, device), shown)
        return
    is_fruitless = _sample(arguments, device, sample, shown)
    # An engine may have left threads, and takes long to be taken apart.
    console.leave_at_once(ExitCode.INCOMPLETE if is_fruitless else ExitCode.OK)


@dataclass(frozen=True, slots=True)
class _Shown:
    """The form in which a plan is shown."""

    style: str
    whole_prompt: bool


def _plan_all(
    names: Sequence[str], given: dict[str, Any], device: str | None, shown: _Shown
) -> ExitCode:
    """Plan several jobs; one that cannot be planned stops no other."""
    code, figures = ExitCode.OK, []
    for name in names:
        try:
            plan = _plan(JobArguments.parse([name], given), device)
            if shown.style == "json":
                figures.append({"job": name} | plan.as_json())
            else:
                console.show([f"{name}:", *plan.lines(whole_prompt=shown.whole_prompt)])
        except LlmbatchError as error:
            console.say(f"error: {name}: {' '.join(str(error).split())}")
            code = ExitCode(error.exit_code)
    if shown.style == "json":
        console.json(figures)
    return code


def _plan(arguments: JobArguments, device: str | None) -> "Planned":
    """Plan without a trace."""
    from llmbatch.job.folder import STDOUT

    with tempfile.TemporaryDirectory(prefix="llmbatch-plan-") as folder:
        nothing = str(Path(folder) / "none")  # for the state of a job without one
        spec, other = _priced(arguments.load({"output": STDOUT, "state": nothing}), device)
        return _planned(_ready(spec, arguments), other, is_kept=spec.state != nothing)


def _sample(arguments: JobArguments, device: str | None, size: int, shown: _Shown) -> bool:
    """Plan by a sample. True if none of its rows was answered."""
    spec, other = _priced(arguments.load(), device)
    _check_sample(spec, other)
    ready = _ready(spec, arguments)
    result = _run(ready, size)
    _show(_planned(ready, other), shown)
    if result.is_fruitless:
        console.say(f"none of the sample's rows was answered: llmbatch report {ready.paths.state}")
    return result.is_fruitless


def _priced(spec: "JobSpec", device: str | None) -> "tuple[JobSpec, Device | None]":
    """The spec with the price of as many devices as are used, and the device, if one is named."""
    other = None if device is None else _device(spec, device)
    if other is not None and spec.cost.devices is None:
        cost = spec.cost.model_copy(update={"devices": other.count})
        spec = spec.model_copy(update={"cost": cost})
    return spec, other


def _ready(spec: "JobSpec", arguments: JobArguments) -> "ReadyJob":
    from llmbatch.cli import report_files
    from llmbatch.pipeline.run import preflight

    files = preflight.CommandFiles(arguments.sources(), report_files.targets(spec))
    return preflight.make_ready(spec, files)


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan of a job: that of its first model, and the `further` jobs of a cascade."""

    job: "ReadyJob"
    first: "Preview"
    further: "Sequence[ReadyJob]"
    device: "Device | None"

    def as_json(self) -> dict[str, Any]:
        """Its figures."""
        from llmbatch.estimate import cascade_plan

        return self.first.as_json() | cascade_plan.as_json(self.further, self.first, self.device)

    def lines(self, *, whole_prompt: bool) -> list[str]:
        """The plan for people; `whole_prompt`: with a first prompt of any length."""
        from llmbatch.estimate import cascade_plan, text

        further = cascade_plan.lines(self.job, self.further, self.first, self.device)
        return [*text.lines(self.first, whole_prompt=whole_prompt), *further]


def _planned(job: "ReadyJob", device: "Device | None", *, is_kept: bool = True) -> Planned:
    from llmbatch.estimate import cascade_plan
    from llmbatch.estimate.preview import preview

    first, *further = cascade_plan.jobs(job)
    return Planned(job, preview(first, device, is_kept=is_kept), further, device)


def _show(plan: Planned, shown: _Shown) -> None:
    if shown.style == "json":
        console.json(plan.as_json())
    else:
        console.show(plan.lines(whole_prompt=shown.whole_prompt))


def _device(spec: "JobSpec", name: str) -> "Device":
    """The device of that name: as many of it as the name says, else the engine's options, else
    the job. Raises UsageError where they contradict each other."""
    from llmbatch.sizing import nvidia

    device, options = nvidia.by_name(name), spec.engine.devices
    if device.count == 1:
        return replace(device, count=options if options > 1 else spec.devices)
    if spec.cost.devices not in (None, device.count):
        raise UsageError(f"--device {name}: the job pays {spec.cost.devices} devices (--devices)")
    if options not in (1, device.count):
        raise UsageError(f"--device {name}: the engine's options spread it over {options} devices")
    return device


def _check_sample(spec: "JobSpec", device: "Device | None") -> None:
    """Raise UsageError if no part of the job can be run."""
    from llmbatch.job import folder
    from llmbatch.job.input import STDIN

    if device is not None:
        raise UsageError("--sample runs on the device that is there; leave --device out")
    if any(name == STDIN or folder.is_pipe(Path(name)) for name in spec.input.files):
        raise UsageError(
            f"{spec.input.name}: a sample needs an input that can be read again: a file"
        )


def _run(job: "ReadyJob", sample: int) -> "RunResult":
    """Run a part of the job. Raises as a run does; leaves with its exit code after a signal."""
    from llmbatch.cli import narration
    from llmbatch.estimate.cache_forecaster import Forecaster
    from llmbatch.pipeline.run.execute import execute

    observer = narration.observer(quiet=False)
    result = execute(job, observer, sample_size=sample, forecaster=Forecaster)
    if result.exit_code in _SIGNALS:
        console.say(f"{result.reason}; {count(result.counts.pending, 'row')} left")
        console.leave_at_once(result.exit_code)
    return result
