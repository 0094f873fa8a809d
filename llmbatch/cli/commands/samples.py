"""`llmbatch samples`: the sample jobs, copied to where one can look at them and run them."""

import shutil
from pathlib import Path

import click

from llmbatch.cli import console
from llmbatch.cli.parameters import file_names
from llmbatch.core.errors import UsageError
from llmbatch.job import sample_files


@click.command()
@click.argument(
    "folder",
    type=click.Path(path_type=Path),
    metavar="[DIR]",
    default="samples",
    shell_complete=file_names,
)
@console.reported
def samples(folder: Path) -> None:
    """Copy the sample jobs and the demonstration model to DIR (default: samples).

    They are a job over 600 support tickets with a job file, prompt and schema, a model of a million
    parameters that is good at that job alone, and how to run a job by cron or make. DIR is made;
    one that holds something is left as it is.
    """
    copy(folder)
    console.show([f"Copied to {folder}. The sample job runs on a CPU in half a minute:"])
    job = folder / "tickets" / "job.toml"
    console.show(["", f"  llmbatch plan {job}", f"  llmbatch run {job} -o answers.jsonl"])


def copy(folder: Path) -> None:
    """Copy the samples. Raises UsageError if the folder holds something, or cannot be made."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder}: is there already; name a folder that is not")
        left_out = shutil.ignore_patterns("__pycache__", "out", "*.llmbatch", "answers*")
        shutil.copytree(sample_files.folder(), folder, ignore=left_out, dirs_exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror or error}") from error
