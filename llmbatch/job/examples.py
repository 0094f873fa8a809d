"""The key `examples`: rows with an answer that are shown to the model before each row.

A job holds the rows themselves, as it holds the text of a prompt, so that a change of their file is
a change of the job.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from llmbatch import formats
from llmbatch.core import exact_json, units
from llmbatch.core.errors import UsageError
from llmbatch.core.records import Reject
from llmbatch.job.fields import Spelled

MOST = 1_000
"""Each prompt holds all examples: with more of them a wrong file was named."""


def _rows(value: Any) -> Any:
    """Tables as a job file has them, or rows that were read, as JSON texts."""
    if not isinstance(value, list | tuple):
        return value
    return tuple(_row(number, row) for number, row in enumerate(value, 1))


def _row(number: int, row: Any) -> str:
    if isinstance(row, dict):
        return exact_json.dump_record(row)
    try:
        exact_json.parse_record(row)
    except (ValueError, TypeError) as error:
        raise ValueError(f"item {number} is no table of columns") from error
    return str(row)


Examples = Annotated[
    tuple[str, ...], Spelled("a file of rows, or a list of tables"), BeforeValidator(_rows)
]
"""The type of the key: rows as JSON objects."""


def read(path: Path, what: str) -> list[str]:
    """The rows of a file, of any format that an input may have. Raises UsageError that begins with
    `what` for a file that cannot be read as a whole."""
    try:
        rows = list(_read(str(path)))
    except UsageError as error:
        raise UsageError(f"{what}{error}") from error
    if not rows:
        raise UsageError(f"{what}{path}: holds no row")
    if len(rows) > MOST:
        raise UsageError(
            f"{what}{path}: has {units.count(len(rows), 'row')}, and each prompt would hold them "
            f"all; give {MOST:,} at most"
        )
    return rows


def _read(name: str) -> Any:
    with (
        formats.open_input(name) as stream,
        formats.open_reader(name, stream, formats.detect(name, None)) as reader,
    ):
        for item in reader:
            if isinstance(item, Reject):
                raise UsageError(f"{name}, line {item.line:,}: {item.reason}")
            yield item.data
