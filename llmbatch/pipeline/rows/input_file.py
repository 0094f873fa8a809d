"""The input of a job: its files as the spec names them, and how they are read."""

from dataclasses import dataclass
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.formats.base import FIND_OUT, ReadOptions
from llmbatch.job.input import STDIN
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.rows.query_rows import InputQuery
from llmbatch.pipeline.rows.row_choice import RowChoice

QUERY_FORMAT = "jsonl"
"""The format in which the rows of a query are kept while they are read."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """`name`: the input in messages. `names`: files, folders, patterns (`data/*.csv`), or `-` for
    stdin; what they stand for is found by `input_parts`. `format_name`: of all of them, None: as
    their names and contents say. `id_column`: the column that names each row; None: a row is named
    by its file, if there are several, and the number of its line. `query`: in place of files;
    `choice`: of some of the rows, None: all are taken."""

    name: str
    names: tuple[str, ...]
    format_name: str | None
    id_column: str | None
    options: ReadOptions = FIND_OUT
    query: InputQuery | None = None
    choice: RowChoice | None = None

    @property
    def path(self) -> Path | None:
        """The file, if there is but one name; None for stdin and for a query."""
        return None if self.name == STDIN or self.query else Path(self.name)


def make(spec: JobSpec, state: Path) -> InputFile:
    """The input of a job with this state folder; no file is looked at. Raises UsageError when
    nothing says the format of standard input."""
    given, query = spec.input, None
    if given.sql is not None:
        query = InputQuery(given.sql, given.folder, str(state.absolute()), given.sql_timeout)
    if STDIN in given.files and given.format is None:
        raise UsageError("input -: say which format stdin has: --input-format csv|tsv|jsonl")
    return InputFile(
        given.name,
        given.files,
        given.format,
        spec.id_column,
        given.reading,
        query,
        RowChoice.of(given),
    )
