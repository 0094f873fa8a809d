"""The jobs below a folder."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.engines import model_files
from llmbatch.job.folder import JobPaths


@dataclass(frozen=True, slots=True)
class JobsFound:
    """The jobs of a folder, by the names of their state folders, and `closed`: the folders that
    could not be read, with the reason."""

    jobs: list[JobPaths]
    closed: list[str]


def find_below(folder: Path) -> JobsFound:
    """The jobs whose state folders lie in `folder`, at any depth, or are the folder itself.

    Links to folders are not followed, so a loop of them does no harm and no job comes twice.
    Raises UsageError when there is no such folder.
    """
    if not model_files.is_folder(folder):
        raise UsageError(f"{folder}: is not a folder; name one with jobs in it, at any depth")
    jobs: list[JobPaths] = []
    closed: list[OSError] = []
    for name, folders, files in os.walk(folder, onerror=closed.append):
        if _is_state(name, files):
            jobs.append(JobPaths(Path(name)))
            folders.clear()
    jobs.sort(key=lambda job: job.state)
    return JobsFound(jobs, sorted(f"{error.filename}: {error.strerror}" for error in closed))


def _is_state(folder: str, files: Sequence[str]) -> bool:
    """True if a folder with these files is a job's: a journal alone is a job, too, and `--state`
    may have given the folder any name."""
    has_records = "job.duckdb" in files or "journal" in files
    return has_records and ("job.lock" in files or folder.endswith(".llmbatch"))
