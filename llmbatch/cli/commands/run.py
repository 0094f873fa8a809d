"""`llmbatch run`: the run, then its report."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from llmbatch.cli import console
from llmbatch.cli.options import JobArguments, JobCommand, job_options
from llmbatch.core import units
from llmbatch.core.errors import ExitCode, LlmbatchError, LockedError

if TYPE_CHECKING:
    from llmbatch.cli.end_report import EndReport
    from llmbatch.cli.eventlog import EventLog
    from llmbatch.cli.notice import Notice
    from llmbatch.pipeline.prompts.ready_job import ReadyJob
    from llmbatch.pipeline.run.execute import RunResult


_FIRST = (
    "--model",
    "--prompt",
    "--output",
    "--system",
    "--choice",
    "--schema",
    "--max-tokens",
    "--limit",
    "--engine-arg",
    "--report",
)
_EXAMPLE = """\
  llmbatch run tickets.csv -m Qwen/Qwen3-8B -p "Classify: {{ text }}" \\
      --choice billing --choice refund -o answers.csv
"""


@click.command(cls=JobCommand, first=_FIRST, example=_EXAMPLE, epilog=console.EXIT_CODES)
@job_options
@click.option("--fresh", is_flag=True, help="Forget the job's former answers and compute all.")
@click.option(
    "--log-json",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Append one JSON line per life event; - is stderr, without other narration.",
)
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the report there, too: .txt, .json, .md or .html; may be repeated. Instead of "
    "those of the job file.",
)
@click.option(
    "--notify",
    metavar="COMMAND",
    help="Run this shell command at the end, however the run ends, for a minute at most. It gets "
    "the report as JSON on standard input, and LLMBATCH_STATE, LLMBATCH_EXIT_CODE, LLMBATCH_REASON "
    "and LLMBATCH_OUTPUT in its environment.",
)
@click.option(
    "--format",
    "written_format",
    metavar="FORMAT",
    help="The same as --output-format.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Show all of the report, as llmbatch report.")
@console.reported
def run(
    job: tuple[str, ...],
    quiet: bool,
    verbose: bool,
    fresh: bool,
    log_json: Path | None,
    reports: tuple[Path, ...],
    notify: str | None,
    written_format: str | None,
    **given: Any,
) -> None:
    """Start or resume a job.

    INPUT is a file of rows, packed or not; a folder of such; a quoted pattern; or - for standard
    input. Several are read one after the other. JOB.toml is a
    job file; flags win over it, and its relative paths start at its own folder.

    A file that llmbatch has not written is neither replaced nor appended to.
    """
    from llmbatch.cli.notice import Notice

    if written_format is not None:
        given["output_format"] = written_format
    notice = Notice(notify)
    with notice.told():
        arguments = JobArguments.parse(job, _with_reports(given, reports))
        show = Show(quiet, verbose, log_json)
        code = _run(arguments, show, notice, fresh=fresh)
    notice.send(code)
    console.leave_at_once(code)


class Show(NamedTuple):
    """The narration of a run, and the file of its events."""

    quiet: bool
    verbose: bool
    log_json: Path | None


def _with_reports(given: dict[str, Any], reports: Sequence[Path]) -> dict[str, Any]:
    return given | {"run__reports": tuple(str(path) for path in reports)}


def _run(arguments: JobArguments, show: Show, notice: "Notice", *, fresh: bool) -> ExitCode:
    """Run the job, deliver its report, and return its exit code."""
    from llmbatch.cli import eventlog, narration, report_files
    from llmbatch.cli.end_report import EndReport
    from llmbatch.estimate.cache_forecaster import Forecaster
    from llmbatch.pipeline.run import request_file
    from llmbatch.pipeline.run.execute import execute
    from llmbatch.pipeline.run.preflight import CommandFiles, make_ready

    spec = arguments.load()
    files = CommandFiles(arguments.sources(), report_files.targets(spec))
    is_log = show.log_json == eventlog.TO_STDERR
    report = EndReport(spec, show.quiet or is_log, show.verbose, notice)
    notice.about = {"LLMBATCH_OUTPUT": spec.output}
    observer = narration.observer(quiet=report.quiet)
    log = None
    if show.log_json is not None:
        log = eventlog.open_log(show.log_json, spec, files, observer)
    job = None
    try:
        job = make_ready(spec, files)
        result = execute(job, log or observer, fresh=fresh, forecaster=Forecaster)
    except LlmbatchError as error:
        notice.reason = str(error)
        _failed(error, job, log, report)
        if is_log:
            notice.send(error.exit_code)
            console.leave_with(error)  # its event is in the log already
        raise
    if not request_file.is_wanted(job):
        report.deliver(job.paths)
    if result.exit_code != ExitCode.OK or result.counts.answered < result.counts.asked:
        report.say(_ending(result, job, fresh=fresh))
    notice.reason = result.reason
    return result.exit_code


def _failed(
    error: LlmbatchError, job: "ReadyJob | None", log: "EventLog | None", report: "EndReport"
) -> None:
    """Log the error, and report what the run did before; a run that may be skipped ends here."""
    if isinstance(error, LockedError):
        if_locked = report.spec.run.if_locked
        if log:
            log.event("locked", reason=str(error), if_locked=if_locked)
        if if_locked == "skip":
            report.say(f"skipped: {error}")
            console.leave(ExitCode.OK)
    elif job is not None and error.exit_code == ExitCode.ENGINE:
        report.deliver(job.paths, only_work=True)
    if log:
        log.error(error)


def _ending(result: "RunResult", job: "ReadyJob", *, fresh: bool) -> str:
    from llmbatch.pipeline.run import request_file

    if request_file.is_wanted(job):
        then = f"llmbatch import {job.paths.state} ANSWERS.jsonl"
        return f"{result.reason}; once it is answered: {then}"
    if result.exit_code == ExitCode.GOLD:
        left = units.count(result.counts.pending, "row")
        rest = f"{left} not run" if result.counts.pending else "no output was written"
        return f"{result.reason}; {rest}. Which are wrong: llmbatch eval {job.paths.state}"
    if result.counts.pending:
        how = "without --fresh " if fresh else ""
        pending = f"{units.count(result.counts.pending, 'row')} left"
        return f"{result.reason}; {pending}: run the same command {how}again"
    if result.counts.failed + result.counts.rejected:
        return f"{result.reason}; see {job.output.errors}"
    return result.reason
