"""The job that a command's argument names."""

from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.job import file, folder
from llmbatch.job.folder import JobPaths
from llmbatch.store import plans
from llmbatch.store.database import Database


def find(job: Path) -> JobPaths:
    """The paths of a job named by its job file, its output or its state folder."""
    if job.suffix == ".toml":
        # Only its paths are needed: an engine that it names is neither imported nor asked.
        return folder.paths_for(file.load(job, {}, trusted=True))
    return folder.find(job)


def require_plan(db: Database, paths: JobPaths) -> None:
    """Raise UsageError when the store does not know its rows: they are read again by a run."""
    if plans.current(db) is None:
        raise UsageError(f"{paths.state}: its rows are not read and planned yet; run the job first")
