"""The input of a job: its file, and how it is read."""

from dataclasses import dataclass
from pathlib import Path

from llmbatch import formats
from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec

STDIN = "-"


@dataclass(frozen=True, slots=True)
class InputFile:
    """`name`: the file, or `-` for stdin. `id_column`: the column that names each row; None: a row
    is named by the number of its line."""

    name: str
    format_name: str
    id_column: str | None

    @property
    def path(self) -> Path | None:
        """The file; None for stdin."""
        return None if self.name == STDIN else Path(self.name)


def make(spec: JobSpec) -> InputFile:
    """The input of a job. Raises UsageError when neither its name nor the spec says its format."""
    if spec.input == STDIN and spec.input_format is None:
        raise UsageError("input -: say which format stdin has: --input-format csv|tsv|jsonl")
    format_name = formats.detect(spec.input, spec.input_format)
    return InputFile(spec.input, format_name, spec.id_column)
