"""The job that a command's argument names."""

from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.engines import model_files
from llmbatch.job import file, folder, shard
from llmbatch.job.folder import JobPaths
from llmbatch.store import plans
from llmbatch.store.database import Database


def find(job: Path) -> JobPaths:
    """The paths of a job named by its job file, its output or its state folder. Raises UsageError
    where there is none, or only its shards."""
    if found := unmerged(job):
        raise UsageError(
            f"{job}: only shards of it are there: merge them (llmbatch merge {job}), or name one, "
            f"such as {found[0].state}"
        )
    if job.suffix == ".toml":
        return _of_job_file(job)
    return folder.find(job)


def require_plan(db: Database, paths: JobPaths) -> None:
    """Raise UsageError when the store does not know its rows: they are read again by a run."""
    if plans.current(db) is None:
        raise UsageError(f"{paths.state}: its rows are not read and planned yet; run the job first")


def unmerged(job: Path) -> list[JobPaths]:
    """The paths of a job's shards, by number, where the job itself is not there."""
    whole = _whole_state(job)
    return [] if folder.holds_job(whole) else _shards(whole)


def find_shards(job: Path) -> list[JobPaths]:
    """The shards of a job that is named by its job file, its output or its state folder, or the one
    that is named by its own. Raises UsageError where there are none."""
    return _shards(_whole_state(job)) or [find(job)]


def _shards(whole: Path) -> list[JobPaths]:
    return [folder.find(state) for state in shard.states(whole)]


def _whole_state(job: Path) -> Path:
    """The name of the state folder of a whole job, which may not be there."""
    if job.suffix == ".toml":
        return _of_job_file(job).state
    if job.suffix == ".llmbatch" or model_files.is_folder(job):
        return job
    return folder.state_of_output(job) if job.name else job


def _of_job_file(job: Path) -> JobPaths:
    # Only its paths are needed: an engine that it names is neither imported nor asked.
    return folder.paths_for(file.load(job, {}, trusted=True))
