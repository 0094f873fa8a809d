"""The flags of the commands that make a report, in all of the forms that there are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def report_output(command: F) -> F:
    """The file of a report, and its form."""
    output = click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write the report there: .txt, .json, .md or .html. - is standard output, the "
        "default.",
    )
    style = click.option(
        "--format",
        "style",
        type=click.Choice(["text", "json", "markdown", "html"]),
        help="[default: by the suffix of FILE, else text]",
    )
    return output(style(command))
