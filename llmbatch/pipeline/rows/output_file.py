"""The output of a job: its file, and what is written to it."""

from dataclasses import dataclass, replace
from pathlib import Path

from llmbatch import formats
from llmbatch.job import folder
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks.base import AnswerColumns
from llmbatch.store.plans import SKIPPED


@dataclass(frozen=True, slots=True)
class OutputFile:
    """`answer`: the columns of the task; `response_column`: the name of the one that takes a whole
    answer; `meta`: with columns that say how the answer came to be; `states`: those of
    the rows that are written."""

    path: Path
    format_name: str
    answer: AnswerColumns
    response_column: str
    meta: bool
    states: tuple[str, ...] = ("answered",)

    def of_skipped_rows(self) -> "OutputFile":
        """The file for the skipped rows alone, each with what it lacks in place of an answer."""
        reason = AnswerColumns("text", {})
        return replace(self, answer=reason, response_column=SKIPPED, states=(SKIPPED,))

    @property
    def errors(self) -> Path:
        """The file of the failed and rejected rows."""
        return folder.errors_of_output(self.path)


def make(spec: JobSpec, answer: AnswerColumns) -> OutputFile:
    """The output of a job. Raises UsageError for a name without a known format."""
    format_name = formats.detect(spec.output, None, writing=True)
    path, column = Path(spec.output), spec.response_column
    states = ("answered",) if spec.keep is None else ("answered", spec.keep)
    return OutputFile(path, format_name, answer, column, spec.meta, states)
