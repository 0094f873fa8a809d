"""`llmbatch run`: the run, then its report."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbatch.cli import console, eventlog, narration
from llmbatch.cli.commands import report as commands_report
from llmbatch.core import files
from llmbatch.core.errors import ExitCode, LlmbatchError, LockedError
from llmbatch.estimate.cache_forecaster import Forecaster
from llmbatch.job import file
from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run import execute as pipeline
from llmbatch.pipeline.run import preflight
from llmbatch.pipeline.run.preflight import CommandFiles
from llmbatch.reports import json, renderers
from llmbatch.reports import report as reports_report
from llmbatch.reports.text import job as text_job
from llmbatch.store import trust
from llmbatch.store.opening import open_store


@dataclass(frozen=True, slots=True)
class _Readers:
    """Who reads the report of a run: somebody at stderr unless `quiet`, and these files."""

    quiet: bool
    files: Sequence[Path]


def run(
    job_file: Path | None,
    flags: dict[str, Any],
    trusted: bool,
    *,
    quiet: bool,
    fresh: bool = False,
    log_json: Path | None = None,
    reports: Sequence[Path] = (),
) -> None:
    """Run the job, write its report to the files `reports`, or else those of its spec, and leave
    with its exit code."""
    if reports:
        flags = flags | {"run": flags.get("run", {}) | {"reports": [str(path) for path in reports]}}
    spec = file.load(job_file, flags, trusted=trusted)
    wanted = [Path(name) for name in spec.run.reports]
    beside = CommandFiles(file.sources(job_file, flags), commands_report.written(spec))
    quiet = quiet or log_json == eventlog.TO_STDERR
    readers = _Readers(quiet, wanted)
    observer = narration.observer(quiet=quiet)
    log = None if log_json is None else eventlog.opened(log_json, spec, beside, observer)
    job = None
    try:
        job = preflight.make_ready(spec, beside)
        result = pipeline.execute(job, log or observer, fresh=fresh, forecaster=Forecaster)
    except LlmbatchError as error:
        _failed(spec, job, error, log, readers)
        if log_json == eventlog.TO_STDERR:
            console.leave_with(error)  # told as an event
        raise
    _report(job.paths, readers)
    if result.exit_code != ExitCode.OK or result.counts.answered < result.counts.rows_in:
        _say(_ending(result, job, fresh=fresh), quiet=quiet)
    console.leave_at_once(result.exit_code)


def _failed(
    spec: JobSpec,
    job: ReadyJob | None,
    error: LlmbatchError,
    log: eventlog.EventLog | None,
    readers: _Readers,
) -> None:
    """Tell what there is to tell besides the error; a run that may be skipped ends here."""
    if isinstance(error, LockedError):
        if log:
            log.event("locked", reason=str(error), if_locked=spec.run.if_locked)
        if spec.run.if_locked == "skip":
            _say(f"skipped: {error}", quiet=readers.quiet)
            console.leave(ExitCode.OK)
    elif job is not None and error.exit_code == ExitCode.ENGINE:
        _report(job.paths, readers, only_work=True)
    if log:
        log.error(error)


def _say(text: str, *, quiet: bool) -> None:
    if not quiet:
        console.say(text)


def _ending(result: pipeline.RunResult, job: ReadyJob, *, fresh: bool) -> str:
    if result.counts.pending:
        how = "without --fresh " if fresh else ""
        left = f"{result.counts.pending:,} rows left"
        return f"{result.reason}; {left}: run the same command {how}again"
    return f"{result.reason}; see {job.output.errors}"


def _report(paths: JobPaths, readers: _Readers, *, only_work: bool = False) -> None:
    """Keep the report beside the store and show it; with `only_work` not one of an idle run."""
    quiet = readers.quiet
    with _unharmed("no report", quiet=quiet):
        # The next run of the job may have begun already, or somebody has removed its folder.
        with open_store(paths.store, read_only=True) as db:
            report = reports_report.build(db)
        if report is None:
            return
        with _unharmed(f"warning: {paths.report}", quiet=quiet):
            files.replace_text(paths.report, json.render(report))
            trust.settle(paths.state)
        for path in readers.files:
            with _unharmed(f"warning: {path}", quiet=quiet):
                commands_report.write(path, renderers.render(report, renderers.style_of(path)))
        if not quiet and (report.last_run.requests or not only_work):
            console.narrate(text_job.render(report, settings=False))


@contextmanager
def _unharmed(what: str, *, quiet: bool) -> Iterator[None]:
    """What the run has done stands, and so does its exit code, whatever is wrong with a report of
    it: `llmbatch report` shows it later."""
    try:
        yield
    except LlmbatchError as error:
        _say(f"{what}: {error}", quiet=quiet)
    except OSError as error:
        _say(f"{what}: cannot be written: {error.strerror}", quiet=quiet)
    except Exception as error:
        # A bug of ours; the run is whole all the same.
        told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        _say(
            f"{what}: failed, which is a bug in llmbatch ({told}); the run is not affected",
            quiet=quiet,
        )
