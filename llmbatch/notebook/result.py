"""The result of a run: its counts and files, and its answers as tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow.parquet

from llmbatch.core.errors import ExitCode
from llmbatch.core.exact_json import parse_record
from llmbatch.notebook import tables
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.rows.export import export_answers
from llmbatch.pipeline.run import preflight
from llmbatch.store import results
from llmbatch.store.opening import open_store
from llmbatch.store.results import Counts

if TYPE_CHECKING:
    import pandas
    import polars


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a run. `counts`: rows in, answered, failed, rejected, skipped, pending; `reason`:
    why it ended; `exit_code`: as the command's.

    Rows that have failed, or are still pending after a limit, raise no error: look at `complete`.
    """

    counts: Counts
    reason: str
    exit_code: ExitCode
    job: ReadyJob = field(repr=False)
    kind: tables.Kind = field(repr=False)

    @property
    def complete(self) -> bool:
        """True if every row that was asked is answered."""
        return self.exit_code is ExitCode.OK

    @property
    def output(self) -> Path:
        """The output file; it is there once no row is pending."""
        return self.job.output.path

    @property
    def state(self) -> Path:
        """The state folder: for `llmbatch report`, `export` and the other commands."""
        return self.job.paths.state

    def answers(self) -> Any:
        """The rows with their answers, in input order, as a table of the kind that was given: a
        DataFrame for a DataFrame; a list of dicts for a file and for a list of dicts.

        Of a schema's answer each top-level property is a column of a DataFrame, and dicts have
        them in one object, as Parquet and JSON Lines have. Of a job that has rows left it is what
        is answered so far; the spec's `keep` adds other rows.
        """
        return self.records() if self.kind == "records" else self._as(self.kind)

    def records(self) -> list[dict[str, Any]]:
        """The rows with their answers as dicts."""
        with self._exported("answers.jsonl") as path:
            return [orjson.loads(line) for line in path.read_bytes().splitlines()]

    def to_pandas(self) -> "pandas.DataFrame":
        """The rows with their answers as a DataFrame of pandas."""
        frame: pandas.DataFrame = self._as("pandas")
        return frame

    def to_polars(self) -> "polars.DataFrame":
        """The rows with their answers as a DataFrame of polars."""
        frame: polars.DataFrame = self._as("polars")
        return frame

    def to_arrow(self) -> pyarrow.Table:
        """The rows with their answers as an Arrow table."""
        return self._as("arrow")

    def failures(self) -> list[dict[str, Any]]:
        """The failed and rejected rows with their `error`, as the error file has them."""
        path = self.job.output.errors
        if not path.exists() or self.counts.pending:
            return []
        return [parse_record(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def _as(self, kind: tables.Kind) -> Any:
        with self._exported("answers.parquet") as path:
            return tables.from_arrow(pyarrow.parquet.read_table(path, memory_map=False), kind)

    @contextmanager
    def _exported(self, name: str) -> Iterator[Path]:
        """A file of the answers that the store has now, until the block ends."""
        with TemporaryDirectory(prefix="llmbatch-answers-") as made:
            path = Path(made) / name
            changes = {"output": str(path), "output_format": None, "excel": False}
            spec = self.job.spec.model_copy(update=changes)
            with open_store(self.job.paths.store, read_only=True) as db:
                target = preflight.make_export(spec, self.state)
                export_answers(db, target, results.counts(db))
            yield path
