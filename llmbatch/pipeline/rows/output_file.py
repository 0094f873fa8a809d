"""The output of a job: its file, and what is written to it."""

from dataclasses import dataclass
from pathlib import Path

from llmbatch import formats
from llmbatch.job import folder
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks.base import AnswerColumns


@dataclass(frozen=True, slots=True)
class OutputFile:
    """`answer`: the columns of the task; `response_column`: the name of the one that takes a whole
    answer; `meta`: with columns that say how the answer came to be."""

    path: Path
    format_name: str
    answer: AnswerColumns
    response_column: str
    meta: bool

    @property
    def errors(self) -> Path:
        """The file of the failed and rejected rows."""
        return folder.errors_of_output(self.path)


def make(spec: JobSpec, answer: AnswerColumns) -> OutputFile:
    """The output of a job. Raises UsageError for a name without a known format."""
    format_name = formats.detect(spec.output, None, writing=True)
    return OutputFile(Path(spec.output), format_name, answer, spec.response_column, spec.meta)
