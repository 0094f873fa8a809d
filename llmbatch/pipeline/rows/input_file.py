"""The input of a job: its file, and how it is read."""

from dataclasses import dataclass
from pathlib import Path

from llmbatch import formats
from llmbatch.core.errors import UsageError
from llmbatch.formats.base import FIND_OUT, ReadOptions
from llmbatch.job.input import QUERY, STDIN
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.rows.query_rows import InputQuery
from llmbatch.pipeline.rows.row_choice import RowChoice

QUERY_FORMAT = "jsonl"
"""The format in which the rows of a query are kept while they are read."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """`name`: the file, or `-` for stdin. `id_column`: the column that names each row; None: a row
    is named by the number of its line. `query`: in place of a file; `choice`: of some of the rows,
    None: all are taken."""

    name: str
    format_name: str
    id_column: str | None
    options: ReadOptions = FIND_OUT
    query: InputQuery | None = None
    choice: RowChoice | None = None

    @property
    def path(self) -> Path | None:
        """The file; None for stdin and for a query."""
        return None if self.name == STDIN or self.query else Path(self.name)


def make(spec: JobSpec, state: Path) -> InputFile:
    """The input of a job with this state folder. Raises UsageError when neither its name nor the
    spec says its format."""
    given, choice = spec.input, RowChoice.of(spec.input)
    if given.sql is not None:
        query = InputQuery(given.sql, given.folder, str(state.absolute()), given.sql_timeout)
        return InputFile(
            QUERY, QUERY_FORMAT, spec.id_column, given.reading, query=query, choice=choice
        )
    name = given.files[0]
    if len(given.files) > 1:
        raise UsageError(f"{given.files[1]}: several input files are not read yet")
    if name == STDIN and given.format is None:
        raise UsageError("input -: say which format stdin has: --input-format csv|tsv|jsonl")
    format_name = formats.detect(name, given.format)
    return InputFile(name, format_name, spec.id_column, given.reading, choice=choice)
