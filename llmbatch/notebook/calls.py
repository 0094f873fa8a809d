"""The calls: a run, and the plan of one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbatch.cli import console, narration, report_files
from llmbatch.cli.end_report import EndReport
from llmbatch.core.errors import ExitCode, UsageError
from llmbatch.estimate import text
from llmbatch.estimate.cache_forecaster import Forecaster
from llmbatch.estimate.preview import Preview, preview
from llmbatch.job import file
from llmbatch.job.spec import JobSpec
from llmbatch.notebook import settings, tables
from llmbatch.notebook.result import Result
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run.execute import execute
from llmbatch.pipeline.run.preflight import CommandFiles, make_ready

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

    The store lies beside `output`, as the command's does. Raises LlmbatchError: UsageError for what
    cannot be used, LockedError if another run holds the job, EngineError if the engine did not
    start or died for good. A signal, such as the interrupt of a notebook, first lets the requests
    in flight be finished, and then does what it did before.
    """
    with _made(input, job, trust_job_file, given) as (spec, sources), console.narrating_to_stderr():
        ready = _ready(spec, sources)
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
    nothing written.

    Raises UsageError for what cannot be used.
    """
    with _made(input, job, trust_job_file, given) as (spec, sources), console.narrating_to_stderr():
        return Plan(preview(_ready(spec, sources)))


@contextmanager
def _made(
    table: Any, job: str | Path | None, trusted: bool, given: dict[str, Any]
) -> Iterator[tuple[JobSpec, list[Path]]]:
    """The spec of a call and the files that it was read from; a table is a file meanwhile."""
    flags = settings.to_table(given)
    path = None if job is None else Path(job)
    if table is None or tables.is_name(table):
        yield _load(path, _reading(flags, table), trusted=trusted)
        return
    with tables.as_file(table) as made:
        yield _load(path, _reading(flags, made), trusted=trusted)


def _reading(flags: dict[str, Any], names: Any) -> dict[str, Any]:
    """The settings with the input's files, beside what they say of how it is read."""
    if names is None:
        return flags
    files = [*names] if isinstance(names, list | tuple) else [names]
    return flags | {"input": flags.get("input", {}) | {"files": list(map(str, files))}}


def _load(job: Path | None, flags: dict[str, Any], *, trusted: bool) -> tuple[JobSpec, list[Path]]:
    if job is None and "input" not in flags:
        raise UsageError(
            "input is missing: give a table or the name of a file, or a job file (job=)"
        )
    return file.load(job, flags, trusted=trusted), file.sources(job, flags)


def _ready(spec: JobSpec, sources: list[Path]) -> ReadyJob:
    return make_ready(spec, CommandFiles(sources, report_files.targets(spec)))
