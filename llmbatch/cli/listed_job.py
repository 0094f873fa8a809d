"""A job of a command that runs several: read and checked before the first engine is started."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmbatch.cli.job_run import JobRun
from llmbatch.core.errors import LlmbatchError, UsageError
from llmbatch.job import folder
from llmbatch.job.input import STDIN
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import ready_job
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run import cascade, limits
from llmbatch.pipeline.run.kept_engine import EngineUse
from llmbatch.pipeline.run.stop_request import NEVER
from llmbatch.quality import gold_gate


@dataclass
class ListedJob:
    """`fault`: the reason for which it cannot be run; `uses`: the engines of its stages; `after`:
    the earlier job whose output it reads; `deadline`: as clock.seconds(); `written`: the files and
    the folder that only this job may write."""

    run: JobRun
    written: set[Path] = field(default_factory=set)
    fault: LlmbatchError | None = None
    uses: list[EngineUse] = field(default_factory=list)
    after: "ListedJob | None" = None
    deadline: float = NEVER

    @property
    def name(self) -> str:
        return self.run.name

    def check(self, earlier: Sequence["ListedJob"], called: float) -> None:
        """Find out what would stop it later, as far as that can be known before the earlier jobs
        have run; the command was called at `called`."""
        try:
            self._check([job for job in earlier if job.fault is None])
            self.deadline = limits.deadline_of(self.run.spec, called)
        except LlmbatchError as error:
            self.fault = error

    def _check(self, earlier: Sequence["ListedJob"]) -> None:
        spec = self.run.spec
        self.after = next((job for job in reversed(earlier) if _reads(spec, job)), None)
        limits.check(spec)
        gold_gate.check(spec)
        # The input of the latter does not have to be there yet.
        job = self.run.ready() if self.after is None else ready_job.make(spec)
        self.written = _written(job)
        self._check_apart(earlier)
        self.uses = [stage.engines.use for stage in cascade.make(job).stages]

    def _check_apart(self, earlier: Sequence["ListedJob"]) -> None:
        """Raise UsageError for what only one of several jobs can have."""
        spec = self.run.spec
        for job in earlier:
            other = job.run.spec
            if STDIN in spec.input.files and STDIN in other.input.files:
                raise UsageError(f"{job.name} reads standard input, too; it can be read only once")
            if folder.STDOUT == spec.output == other.output:
                raise UsageError(f"{job.name} writes to standard output, too: name a file")
            if both := self.written & job.written:
                raise UsageError(f"{min(both)}: {job.name} writes it, too; each job has its own")


def _reads(spec: JobSpec, job: ListedJob) -> bool:
    """True if an input is the output of an earlier job, or a folder with it."""
    output = job.run.spec.output
    if output == folder.STDOUT:
        return False
    path = Path(output).resolve()
    inputs = (Path(name).resolve() for name in spec.input.files if name != STDIN)
    return any(name in (path, path.parent) for name in inputs)


def _written(job: ReadyJob) -> set[Path]:
    settings, output = job.spec.run, job.output
    files = [*map(Path, settings.reports), job.paths.state, output.errors]
    if settings.metrics_file is not None:
        files.append(Path(settings.metrics_file))
    if not output.is_stdout:
        files.append(output.path)
    return {path.resolve() for path in files}
