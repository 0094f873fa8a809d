"""A job made ready, and what can be found wrong before anything is created or loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmbatch.engines import model_files
from llmbatch.job import folder, gold_set, targets
from llmbatch.job.input import STDIN
from llmbatch.job.spec import JobSpec
from llmbatch.job.targets import Target
from llmbatch.pipeline.monitoring import prometheus
from llmbatch.pipeline.prompts import ready_job
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.rows import earlier_files, input_parts, output_file
from llmbatch.pipeline.rows.output_file import OutputFile
from llmbatch.pipeline.run import request_file
from llmbatch.pipeline.tasks import registry

_STATE = "state folder"


@dataclass(frozen=True, slots=True)
class CommandFiles:
    """The files that a command reads (a job file, templates, schemas) and writes (reports) beside
    the input and the files of the job."""

    reads: Sequence[Path] = ()
    writes: Sequence[Target] = ()


NO_FILES = CommandFiles()


def make_ready(spec: JobSpec, beside: CommandFiles = NO_FILES) -> ReadyJob:
    """The job made ready. Raises UsageError for the first thing that would stop it later, or would
    write what must not be written."""
    job = ready_job.make(spec)
    parts = input_parts.find(job.input)
    prometheus.check(spec)
    if request_file.is_wanted(job):
        request_file.check(job)
    _check_files(job, beside, [part.path for part in parts.files if part.path])
    return job


def check_log(spec: JobSpec, beside: CommandFiles, log: Target) -> None:
    """Raise UsageError if a log must not be written. It is asked before the job is made ready,
    because the log takes what is wrong with the job, too."""
    state = folder.paths_for(spec).state
    taken = _reads(spec, beside) | {state: _STATE}
    if spec.output != folder.STDOUT:
        taken[Path(spec.output)] = targets.OUTPUT
    taken[folder.errors_for(spec)] = earlier_files.ERRORS
    taken |= {target.path: target.what for target in (*_metrics(spec), *beside.writes)}
    targets.check([log], taken, _folders(spec, state))


def _check_files(job: ReadyJob, beside: CommandFiles, inputs: Sequence[Path]) -> None:
    spec, state = job.spec, job.paths.state
    # With a store, it says later on whether the output is that of an earlier run.
    known = folder.holds_job(state)
    own = [] if job.output.is_stdout else [earlier_files.output_target]
    own.append(earlier_files.errors_target)
    written = [*(make(job.output, known=known) for make in own), *_metrics(spec), *beside.writes]
    reads = _reads(spec, beside) | dict.fromkeys(inputs, "input")
    targets.check_state(state, reads, written, _model(spec))
    targets.check(written, reads, _folders(spec, state))
    if not job.output.is_stdout:
        input_parts.check_apart(job.input, [job.output.path, job.output.errors])


def _reads(spec: JobSpec, beside: CommandFiles) -> dict[Path, str]:
    reads = dict.fromkeys(beside.reads, "job file or one that it names")
    if spec.eval.gold is not None and gold_set.names_file(spec.eval.gold):
        reads[Path(spec.eval.gold)] = "file of right answers"
    return reads | {Path(name): "input" for name in spec.input.files if name != STDIN}


def _metrics(spec: JobSpec) -> list[Target]:
    if spec.run.metrics_file is None:
        return []
    return [prometheus.target(spec.run.metrics_file, overwrite=spec.overwrite)]


def _model(spec: JobSpec) -> dict[Path, str]:
    path = model_files.path_of(spec.model)
    return {path: "folder of the model"} if model_files.is_folder(path) else {}


def _folders(spec: JobSpec, state: Path) -> dict[Path, str]:
    """Those in which nothing is written by name."""
    return _model(spec) | {state: _STATE}


def make_export(spec: JobSpec, state: Path) -> OutputFile:
    """The output that `spec` now has. Raises UsageError if the answers cannot be written to it."""
    output = output_file.make(spec, registry.make(spec).columns)
    if not output.is_stdout:
        target = earlier_files.output_target(output, known=True)
        targets.check([target], _reads(spec, NO_FILES), _folders(spec, state))
    return output
