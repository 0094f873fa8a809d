"""`llmbatch init`: a commented job file from a look at an input."""

from pathlib import Path

import click

from llmbatch.cli import console
from llmbatch.cli.parameters import file_names
from llmbatch.core.errors import UsageError

_STDOUT = Path("-")


@click.command()
@click.argument("source", metavar="INPUT", shell_complete=file_names)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    default="job.toml",
    show_default=True,
    help="The job file; - is standard output.",
)
@console.reported
def init(source: str, output: Path) -> None:
    """Write a job file for INPUT, with a comment on everything.

    The first rows are looked at: the file has their columns with examples, a prompt that uses those
    that hold text, the column that names a row, and every other key with its default as a comment.
    It runs once the model is filled in. A file that is there is left as it is.
    """
    from llmbatch.cli import new_job_file
    from llmbatch.pipeline.rows import first_look

    target = None if output == _STDOUT else output
    if target is not None and (target.exists() or target.is_symlink()):
        raise UsageError(f"{target}: is there already; name another file (-o FILE)")
    seen = first_look.look(source)
    text = "\n".join(new_job_file.lines(seen, source, target)) + "\n"
    if target is None:
        console.data(text)
        return
    _write(target, text)
    console.show(
        [
            f"Written to {target}. Fill in the model and the prompt, then:",
            "",
            f"  llmbatch plan {target}",
            f"  llmbatch run {target}",
        ]
    )


def _write(target: Path, text: str) -> None:
    """Put the text under its name. Raises UsageError."""
    from llmbatch.core import files

    try:
        with files.atomic(target) as stream:
            stream.write(text.encode())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{target}: cannot be written: {reason}") from error
