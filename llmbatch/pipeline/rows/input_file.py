"""The input of a job: its file, and how it is read."""

from dataclasses import dataclass
from pathlib import Path

from llmbatch import formats
from llmbatch.core.errors import UsageError
from llmbatch.formats.base import FIND_OUT, ReadOptions
from llmbatch.job.input import STDIN
from llmbatch.job.spec import JobSpec


@dataclass(frozen=True, slots=True)
class InputFile:
    """`name`: the file, or `-` for stdin. `id_column`: the column that names each row; None: a row
    is named by the number of its line."""

    name: str
    format_name: str
    id_column: str | None
    options: ReadOptions = FIND_OUT

    @property
    def path(self) -> Path | None:
        """The file; None for stdin."""
        return None if self.name == STDIN else Path(self.name)


def make(spec: JobSpec) -> InputFile:
    """The input of a job. Raises UsageError when neither its name nor the spec says its format."""
    given, name = spec.input, spec.input.files[0]
    if len(given.files) > 1:
        raise UsageError(f"{given.files[1]}: several input files are not read yet")
    if name == STDIN and given.format is None:
        raise UsageError("input -: say which format stdin has: --input-format csv|tsv|jsonl")
    return InputFile(name, formats.detect(name, given.format), spec.id_column, given.reading)
