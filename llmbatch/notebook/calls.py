"""The calls: a run, and the plan of one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from llmbatch.cli import console, narration, report_files
from llmbatch.cli.end_report import EndReport
from llmbatch.core.errors import ExitCode, LlmbatchError, UsageError
from llmbatch.estimate import text
from llmbatch.estimate.cache_forecaster import Forecaster
from llmbatch.estimate.preview import Preview, preview
from llmbatch.job import file, folder
from llmbatch.job.spec import JobSpec
from llmbatch.notebook import settings, tables
from llmbatch.notebook.result import Result
from llmbatch.pipeline.prompts import ready_job
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run.execute import execute
from llmbatch.pipeline.run.preflight import CommandFiles, make_ready
from llmbatch.store import run_records
from llmbatch.store.opening import open_store

# The file of a table, in the state folder.
_TABLE = "table.jsonl"
_SIGNALS = (ExitCode.SIGHUP, ExitCode.SIGINT, ExitCode.SIGTERM)


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan: the rows, time and money of a run. Printed, it is as the command shows it."""

    preview: Preview

    def __str__(self) -> str:
        return "\n".join(text.lines(self.preview))

    def as_dict(self) -> dict[str, Any]:
        """The figures, as `llmbatch plan --format json` has them."""
        return self.preview.as_json()


def run(
    input: Any = None,
    *,
    job: str | Path | None = None,
    fresh: bool = False,
    progress: bool = False,
    trust_job_file: bool = False,
    **given: Any,
) -> Result:
    """Start or resume a job; the same call again computes only what is new or changed.

    `input`: a DataFrame of pandas or polars, an Arrow table, an iterable of dicts, or the name of a
    file. `job`: a job file. `given`: settings by the names of the job file, which win over it:
    `model`, `prompt`, `output`, `choice`, `schema` (a file, a dict or a model of pydantic's),
    `max_tokens`, `engine={"max_model_len": 1024}`. `fresh`: forget earlier answers. `progress`:
    show it on stderr. `trust_job_file`: let the job file name code.

    The store lies beside `output`, as the command's does; a table is kept with it.

    Raises LlmbatchError: UsageError for what cannot be used, LockedError if another run holds the
    job, EngineError if the engine did not start or died for good. A signal, such as the interrupt
    of a notebook, first lets the requests in flight be finished, and then does what it did before.
    """
    asked = _Asked.of(input, job, given, trusted=trust_job_file)
    with _table_kept(asked, input) as spec, console.narrating_to_stderr():
        ready = _ready(spec, asked)
        report = EndReport(spec, quiet=not progress)
        observer = narration.observer(quiet=not progress)
        done = execute(ready, observer, fresh=fresh, forecaster=Forecaster)
        report.deliver(ready.paths)
    if done.exit_code in _SIGNALS:
        signal.raise_signal(done.exit_code - 128)
    return Result(done.counts, done.reason, done.exit_code, ready, tables.kind_of(input))


def plan(
    input: Any = None,
    *,
    job: str | Path | None = None,
    trust_job_file: bool = False,
    **given: Any,
) -> Plan:
    """Plan a run of the same arguments: what it would do, take and cost. Nothing is computed and
    nothing written. Without an `output` answers of earlier runs are not looked for.

    Raises UsageError for what cannot be used.
    """
    with TemporaryDirectory(prefix="llmbatch-table-") as made, console.narrating_to_stderr():
        nothing = {"output": folder.STDOUT, "state": str(Path(made) / "none")}
        asked = _Asked.of(input, job, given, trusted=trust_job_file, without_output=nothing)
        spec = asked.spec if asked.is_file else asked.with_table(input, Path(made))
        return Plan(preview(_ready(spec, asked), is_kept=spec.state != nothing["state"]))


@dataclass(frozen=True, slots=True)
class _Asked:
    """The spec of a call, the files that it was read from, and True if its input is a file."""

    spec: JobSpec
    sources: list[Path]
    is_file: bool

    @classmethod
    def of(
        cls,
        table: Any,
        job: str | Path | None,
        given: dict[str, Any],
        *,
        trusted: bool,
        without_output: dict[str, Any] | None = None,
    ) -> "_Asked":
        """`without_output`: see `job.file.load`."""
        flags, path = settings.to_table(given), None if job is None else Path(job)
        if table is None and path is None and "input" not in flags:
            raise UsageError(
                "input is missing: give a table, the name of a file, or a job file (job=)"
            )
        is_file = table is None or tables.is_name(table)
        if table is not None:
            names = table if isinstance(table, list | tuple) else [table]
            files = list(map(str, names)) if is_file else [_TABLE]
            flags |= {"input": flags.get("input", {}) | {"files": files}}
        spec = file.load(path, flags, trusted=trusted, without_output=without_output)
        if spec.output == folder.STDOUT and not without_output:
            raise UsageError("output: give the name of a file; the answers are in the result, too")
        return cls(spec, file.sources(path, flags), is_file)

    def with_table(self, table: Any, folder: Path) -> JobSpec:
        """The spec with the table as a file in the folder, where it is written to."""
        path = folder / _TABLE
        tables.write(table, path)
        source = self.spec.input.model_copy(update={"files": (str(path),)})
        return self.spec.model_copy(update={"input": source})


@contextmanager
def _table_kept(asked: _Asked, table: Any) -> Iterator[JobSpec]:
    """The spec, with a table kept in the state folder, so that other commands can read it again;
    a folder of which no job came is removed."""
    if asked.is_file:
        yield asked.spec
        return
    paths = ready_job.make(asked.spec).paths
    is_new = folder.make_private(paths.state)
    try:
        yield asked.with_table(table, paths.state)
    except LlmbatchError:
        if is_new and not _has_begun(paths.store):
            folder.discard(paths.state)
        raise


def _has_begun(store: Path) -> bool:
    if not store.exists():
        return False
    with open_store(store, read_only=True) as db:
        return bool(run_records.summaries(db))


def _ready(spec: JobSpec, asked: _Asked) -> ReadyJob:
    return make_ready(spec, CommandFiles(asked.sources, report_files.targets(spec)))
