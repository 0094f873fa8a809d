"""The output of a job: its file, and what is written to it."""

from dataclasses import dataclass, replace
from pathlib import Path

from llmbatch import formats
from llmbatch.batch_files import lines
from llmbatch.core.errors import UsageError
from llmbatch.job import folder
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.rows import sampled_rows
from llmbatch.pipeline.rows.sampled_rows import Samples
from llmbatch.pipeline.tasks.base import AnswerColumns
from llmbatch.store.plans import SKIPPED

ANSWERED = "answered"
NPY = "npy"
"""The format of vectors without their rows, which are written to a file beside it."""
FAILED = ("failed", "rejected")


@dataclass(frozen=True, slots=True)
class Best:
    """The ranking of the scored rows of each group: those with the same value in `group_by` (None:
    with the same query). Only the best `top` of each are written; None: all, with their rank."""

    top: int | None = None
    group_by: str | None = None


@dataclass(frozen=True, slots=True)
class OutputFile:
    """`answer`: the columns of the task; `response_column`: the name of the one that takes a whole
    answer; `meta`: with columns that say how the answer came to be; `states`: those of
    the rows that are written; `columns`: those that are written, in their order (none: all);
    `where`: a condition in SQL that the written rows keep; `flagged`: only rows with a flag are
    written; `table`: that of a database; `errors`:
    the file of the failed and rejected rows; `overwrite`: whatever has the name is replaced;
    `input_delimiter`: the separator that the job says its input has; `best`: the ranking of its
    answered rows, if it has one; `model`: the job's; `samples`: how several samples of a row are
    written, if it has some; `stages`: the models of a cascade."""

    path: Path
    format_name: str
    answer: AnswerColumns
    response_column: str
    meta: bool
    states: tuple[str, ...] = (ANSWERED,)
    columns: tuple[str, ...] = ()
    where: str | None = None
    flagged: bool = False
    table: str = "answers"
    excel: bool = False
    errors: Path = Path()
    overwrite: bool = False
    input_delimiter: str | None = None
    best: Best | None = None
    model: str = ""
    samples: Samples | None = None
    stages: tuple[str, ...] = ()

    def of_skipped_rows(self) -> "OutputFile":
        """The file for the skipped rows alone, each with what it lacks in place of an answer."""
        reason = AnswerColumns("text", {})
        states = (SKIPPED,)
        return replace(
            self, answer=reason, response_column=SKIPPED, states=states, best=None, samples=None
        )

    def of_failed_rows(self) -> "OutputFile":
        """The file for the failed and rejected rows alone, each with its error."""
        return replace(self, states=FAILED, best=None)

    @property
    def is_stdout(self) -> bool:
        """True if the rows go to standard output."""
        return str(self.path) == folder.STDOUT

    @property
    def has_answers(self) -> bool:
        """True if some of the rows have an answer."""
        return not set(self.states) <= set(FAILED)

    @property
    def has_errors(self) -> bool:
        """True if a column says why a row has no answer."""
        return not set(self.states).isdisjoint(FAILED)

    @property
    def is_chosen(self) -> bool:
        """True if only some of the rows in its states are written."""
        return self.flagged or self.where is not None

    @property
    def has_vectors(self) -> bool:
        """True if a column may hold vectors, as numbers of their own type."""
        return self.format_name in ("parquet", "duckdb", NPY)

    @property
    def is_batch(self) -> bool:
        """True for an output in the shape of OpenAI's: lines that answer a batch file, or requests
        that are answered elsewhere."""
        return self.format_name == lines.FORMAT

    @property
    def is_table(self) -> bool:
        """True if a structured answer is spread over columns."""
        return self.format_name != "jsonl"


def make(spec: JobSpec, answer: AnswerColumns) -> OutputFile:
    """The output of a job. Raises UsageError for a name without a known format, and for settings
    that its format does not have."""
    format_name = _format(spec)
    if format_name == lines.FORMAT:
        _check_batch(spec)
    formats.check_rows(spec.output, format_name, 0)
    if spec.excel and format_name not in ("csv", "tsv"):
        raise UsageError(
            f"excel is for .csv and .tsv output, not for {format_name}"
            f"{' (Excel reads it as it is)' if format_name == 'xlsx' else ''}: leave it out"
        )
    if spec.output == folder.STDOUT and format_name in ("duckdb", NPY):
        raise UsageError(f"a .{format_name} file cannot be written to standard output: give a name")
    if format_name == NPY and spec.task != "embed":
        raise UsageError(f"{spec.output}: an .npy file holds vectors alone: for --task embed")
    if format_name == NPY and spec.keep:
        raise UsageError(
            "--keep: an .npy file has no place for rows without a vector: leave it out"
        )
    samples = sampled_rows.of_job(spec, answer)
    return OutputFile(
        Path(spec.output),
        format_name,
        answer if samples is None else samples.columns(answer),
        spec.response_column,
        spec.meta,
        (ANSWERED, *spec.keep),
        spec.columns,
        table=spec.table,
        excel=spec.excel,
        errors=folder.errors_for(spec),
        overwrite=spec.overwrite,
        input_delimiter=spec.input.delimiter,
        best=best_of(spec),
        model=spec.model,
        samples=samples,
        stages=tuple(stage.model for stage in spec.stages),
    )


def best_of(spec: JobSpec) -> Best | None:
    """The ranking that a job wants of its rows; None if it wants none."""
    score = spec.score
    is_ranked = spec.task == "score" and (score.top is not None or score.group_by is not None)
    return Best(score.top, score.group_by) if is_ranked else None


def _check_batch(spec: JobSpec) -> None:
    """Raise UsageError for settings that mean nothing in a batch file."""
    given = {"--columns": spec.columns, "--keep": spec.keep, "--meta": spec.meta}
    if named := [flag for flag, value in given.items() if value]:
        raise UsageError(
            f"{' and '.join(named)}: the lines of a batch file have the shape of OpenAI's: leave "
            "it out, or name a table as the output (-o NAME.csv)"
        )


def _format(spec: JobSpec) -> str:
    if spec.output == folder.STDOUT:
        return formats.detect("stdout.jsonl", spec.output_format, writing=True)
    return formats.detect(spec.output, spec.output_format, writing=True)
