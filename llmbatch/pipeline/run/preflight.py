"""What can be found wrong before anything is created or loaded."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmbatch import formats
from llmbatch.core.errors import UsageError
from llmbatch.engines import model_files
from llmbatch.job import folder, targets
from llmbatch.job.spec import JobSpec
from llmbatch.job.targets import Target
from llmbatch.pipeline.monitoring import prometheus
from llmbatch.pipeline.prompts.template import Prompt
from llmbatch.pipeline.rows import earlier_files, ingest
from llmbatch.pipeline.tasks import constraint


@dataclass(frozen=True, slots=True)
class Beside:
    """What a command reads (a job file, templates, schemas) and writes (reports) beside the input
    and the files of the job."""

    reads: Sequence[Path] = ()
    writes: Sequence[Target] = ()


NOTHING = Beside()


def check(spec: JobSpec, beside: Beside = NOTHING) -> None:
    """Raise UsageError for the first thing that would stop the job later, or would write what
    must not be written."""
    Prompt(spec.prompt, spec.system)
    constraint.make_check(spec.answer.to_constraint())
    ingest.format_of(spec)
    _check_input(spec)
    formats.detect(spec.output, None, writing=True)
    prometheus.check(spec)
    _check_files(spec, beside)


def _check_input(spec: JobSpec) -> None:
    if spec.input == ingest.STDIN:
        return
    path = Path(spec.input)
    known = targets.look_up(path, "input")
    if known is None:
        raise UsageError(f"{path}: no such file; give a CSV or JSONL file, or - for stdin")
    if stat.S_ISDIR(known.st_mode):
        raise UsageError(f"{path}: is a folder; give a CSV or JSONL file, or - for stdin")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path}: cannot be read; check its permissions")


def check_log(spec: JobSpec, beside: Beside, log: Target) -> None:
    """Raise UsageError if a log must not be written, which is asked before all else: it is told
    of what is wrong with the job."""
    state = folder.paths_for(spec).state
    taken = _reads(spec, beside) | {state: "state folder"}
    taken |= {target.path: target.what for target in (*_targets(spec), *beside.writes)}
    targets.check([log], taken, _model(spec) | {state: "state folder"})


def _check_files(spec: JobSpec, beside: Beside) -> None:
    state, reads, model = folder.paths_for(spec).state, _reads(spec, beside), _model(spec)
    written = [*_targets(spec), *beside.writes]
    targets.check_state(state, reads, written, model)
    targets.check(written, reads, model | {state: "state folder"})


def _reads(spec: JobSpec, beside: Beside) -> dict[Path, str]:
    reads = dict.fromkeys(beside.reads, "job file or one that it names")
    return reads | ({} if spec.input == ingest.STDIN else {Path(spec.input): "input"})


def _targets(spec: JobSpec) -> list[Target]:
    """Whether what has the name of the output is that of an earlier run, is asked when its store
    is open, if there is one."""
    known = folder.holds_job(folder.paths_for(spec).state)
    told = [] if spec.run.metrics_file is None else [prometheus.target(spec.run.metrics_file)]
    return [earlier_files.output(spec, known=known), earlier_files.errors(spec, known=known), *told]


def _model(spec: JobSpec) -> dict[Path, str]:
    folder = model_files.path_of(spec.model)
    return {folder: "folder of the model"} if model_files.is_folder(folder) else {}


def check_export(spec: JobSpec, state: Path) -> None:
    """Raise UsageError if the answers cannot be written to the output that `spec` now has."""
    formats.detect(spec.output, None, writing=True)
    target = earlier_files.output(spec, known=True)
    reads = {} if spec.input == ingest.STDIN else {Path(spec.input): "input"}
    targets.check([target], reads, _model(spec) | {state: "state folder"})
