"""The job files of a command that runs several jobs, one after the other."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.engines import model_files

# Flags that name a file or folder of one job.
_OF_ONE = {
    "output": "--output",
    "state": "--state",
    "input__files": "--input",
    "input__sql": "--sql",
    "run__metrics_file": "--metrics-file",
    "run__reports": "--report",
}


def names(arguments: Sequence[str], given: Mapping[str, Any]) -> list[str]:
    """The job files, where the arguments of `run` name several, or a folder of them: its *.toml, in
    the order of their names. Empty for a single job.

    A folder is one of rows where an output is given. Raises UsageError for flags that cannot be for
    all of the jobs, and for a job file that is named twice.
    """
    found = [_job_files(argument) for argument in arguments]
    is_folder = any(model_files.is_folder(Path(argument)) for argument in arguments)
    if not found or not all(found) or (len(arguments) == 1 and not is_folder):
        return []
    refused = [flag for key, flag in _OF_ONE.items() if given.get(key)]
    if is_folder and len(arguments) == 1 and refused:
        return []
    every = [name for files in found for name in files]
    if refused:
        raise UsageError(f"{refused[0]}: is of one job, and there are {len(every)}: leave it out")
    for path, times in Counter(Path(name).resolve() for name in every).items():
        if times > 1:
            raise UsageError(f"{path}: is named {times} times; once is enough")
    return every


def _job_files(argument: str) -> list[str]:
    if argument.endswith(".toml"):
        return [argument]
    try:
        return sorted(_in_folder(Path(argument)))
    except OSError:
        return []


def _in_folder(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        for path in folder.iterdir():
            if path.suffix == ".toml" and not path.name.startswith(".") and path.is_file():
                yield str(path)
