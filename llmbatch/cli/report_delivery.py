"""The delivery of a report: to standard output, or to a file of our own."""

import sys
from collections.abc import Mapping
from pathlib import Path

from llmbatch.cli import console, report_files
from llmbatch.core.errors import UsageError
from llmbatch.job import targets
from llmbatch.reports import renderers


def style_for(output: Path | None, style: str | None) -> str:
    """The form that was asked for, None: by the suffix of `output`. A page for a browser is not
    poured over a terminal. Raises UsageError."""
    if output is None or output == report_files.STDOUT:
        style = style or "text"
        if style == "html" and sys.stdout.isatty():
            raise UsageError("html is for a browser: name a file, as in -o report.html")
        return style
    return style or renderers.style_of(output)


def check_file(output: Path | None, folders: Mapping[Path, str], *, overwrite: bool) -> None:
    """Raise UsageError for a file that a report cannot or must not be written to; `folders`: those
    in which it must not lie."""
    if output is not None and output != report_files.STDOUT:
        target = report_files.target(output, overwrite=overwrite)
        targets.check([target], {}, folders)


def put(text: str, output: Path | None) -> None:
    """Show or write a report. Raises UsageError for a file that cannot be written."""
    if output is None or output == report_files.STDOUT:
        console.data(text)
        return
    try:
        report_files.write(output, text)
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror}") from error
    console.say(f"report written to {output}")
