"""The records of a file of any format: an output, or rows with right answers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbatch import formats
from llmbatch.core import files
from llmbatch.core.errors import UsageError
from llmbatch.core.records import Record, Reject
from llmbatch.formats.base import ALL_COLUMNS, WriteOptions
from llmbatch.store import output_table


@dataclass(frozen=True, slots=True)
class TableFile:
    """`columns`: as far as they are known before the reading; `records`: the rows of the file,
    to be read once; `format_name`: of them."""

    path: Path
    columns: list[str]
    records: Iterator[Record | Reject]
    format_name: str

    def rows(self) -> Iterator[Record]:
        """The rows. Raises UsageError for a line that is none, with its number."""
        for record in self.records:
            if isinstance(record, Reject):
                raise UsageError(f"{self.path}:{record.line}: {record.reason}")
            yield record


def format_to_write(path: Path) -> str:
    """The format that rows are written in, by the name of their file. Raises UsageError for one
    that has none, or is no file of rows alone."""
    format_name = formats.detect(str(path), None, writing=True)
    if format_name in ("duckdb", "npy"):
        raise UsageError(f"{path}: write the rows as .csv, .tsv, .jsonl, .parquet or .xlsx")
    return format_name


def write(
    path: Path,
    format_name: str,
    columns: Sequence[str],
    own: Mapping[str, str],
    records: Iterable[tuple[str, Mapping[str, Any]]],
    options: WriteOptions = ALL_COLUMNS,
) -> int:
    """Write records of the input (JSON) with values beside them, in columns of the types `own`;
    returns how many. The file appears when it is whole. Raises OSError for one that cannot be
    written."""
    written = 0
    with (
        files.atomic(files.behind_link(path)) as stream,
        formats.open_writer(stream, format_name, columns, own, options) as writer,
    ):
        for data, beside in records:
            writer.write(data, beside)
            written += 1
    return written


def free_name(name: str, prefix: str, columns: Sequence[str]) -> str:
    """A name for a column beside those of the input."""
    return name if name not in columns else free_name(f"{prefix}_{name}", prefix, columns)


@contextmanager
def opened(path: Path, table: str = "answers") -> Iterator[TableFile]:
    """The file, open; `table`: of a database. Raises UsageError for one that cannot be read."""
    format_name = formats.detect(str(path), None)
    if format_name == "npy":
        raise UsageError(f"{path}: has vectors without their rows: name the job's state folder")
    with ExitStack() as stack:
        source = path
        try:
            if format_name == "duckdb":
                source = stack.enter_context(output_table.as_parquet(path, table))
                format_name = "parquet"
            stream = stack.enter_context(formats.open_input(str(source)))
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
        reader = stack.enter_context(formats.open_reader(str(path), stream, format_name))
        yield TableFile(path, list(reader.columns), iter(reader), format_name)
