"""The files of a job, and the names of their folder."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec

STDOUT = "-"
"""In place of the name of an output: standard output."""


@dataclass(frozen=True, slots=True)
class JobPaths:
    """The state folder of a job and the names in it."""

    state: Path

    @property
    def store(self) -> Path:
        return self.state / "job.duckdb"

    @property
    def lock(self) -> Path:
        return self.state / "job.lock"

    @property
    def status(self) -> Path:
        return self.state / "status.json"

    @property
    def log(self) -> Path:
        return self.state / "run.log"

    @property
    def report(self) -> Path:
        return self.state / "report.json"

    @property
    def spool(self) -> Path:
        return self.state / "stdin"


def paths_for(spec: JobSpec) -> JobPaths:
    """The paths of a job: `--state`, or the output's name with the suffix .llmbatch. Raises
    UsageError where there is neither."""
    return JobPaths(_state_for(spec))


def _state_for(spec: JobSpec) -> Path:
    if spec.state:
        return Path(spec.state)
    if spec.output == STDOUT:
        raise UsageError(
            "output -: standard output has no name to call the state folder after: name the folder "
            "with --state"
        )
    return state_of_output(Path(spec.output))


def state_of_output(output: Path) -> Path:
    return output.with_suffix(".llmbatch")


def errors_for(spec: JobSpec) -> Path:
    """The file for failed and rejected rows: beside the output, or else beside the state folder."""
    if spec.output == STDOUT:
        return errors_of_output(_state_for(spec))
    return errors_of_output(Path(spec.output))


def errors_of_output(output: Path) -> Path:
    """The file for the failed and rejected rows of an output of this name."""
    return output.with_name(output.stem + ".errors.jsonl")


def find(job: Path) -> JobPaths:
    """The paths of a job named by its state folder, its output, or a file in the folder.

    A journal alone is a job too: its store can be made again.
    """
    states = (job, state_of_output(job), job.parent) if job.name else (job,)
    for state in states:
        if holds_job(state):
            return JobPaths(state)
    raise UsageError(
        f"{job}: no job found there; name its output file, its job file or its state folder"
    )


def holds_job(state: Path) -> bool:
    """True if the folder is a job's: it has its store, or a journal to make one of."""
    return any(is_file(state / name) for name in ("job.duckdb", "journal"))


def is_file(path: Path) -> bool:
    """As Path.is_file, also for names that no file can have, and folders that are closed."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_pipe(path: Path) -> bool:
    """True for what is there and neither a file nor a folder."""
    try:
        return path.exists() and not (path.is_file() or path.is_dir())
    except OSError:
        return False


def make_private(state: Path) -> bool:
    """Create the state folder, readable by its owner only. True if it was not there before."""
    if state.is_dir():
        return False
    try:
        state.mkdir(mode=0o700)
    except FileExistsError:  # another run was quicker, or a file is in the way
        if state.is_dir():
            return False
        raise UsageError(f"{state}: is a file; the state folder needs another name") from None
    except OSError as error:
        raise UsageError(f"{state}: cannot create the state folder: {error.strerror}") from error
    return True


def discard(state: Path) -> None:
    """Remove a state folder that never came to hold any work."""
    shutil.rmtree(state, ignore_errors=True)
