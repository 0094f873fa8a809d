"""`llmbatch run`: the run, then its report."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from llmbatch.cli import console, job_list
from llmbatch.cli.options import JobArguments, JobCommand, job_options
from llmbatch.cli.show import Show
from llmbatch.core.errors import ExitCode, LlmbatchError

if TYPE_CHECKING:
    from llmbatch.cli.notice import Notice

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

    Several job files, or a folder of them, run in the order given (a folder's by name): those with
    the same model and engine options share one engine, so name them next to each other. Flags are
    for all; the exit code is the worst: 1, 2, 5, 6, 4, 3, 75, 0, a signal's before all.

    A file that llmbatch has not written is neither replaced nor appended to.
    """
    from llmbatch.cli.notice import Notice

    if written_format is not None:
        given["output_format"] = written_format
    given, show = _with_reports(given, reports), Show(quiet, verbose, log_json)
    if names := job_list.names(job, given):
        _run_all(names, given, show, notify, fresh=fresh)
    notice = Notice(notify)
    with notice.told():
        code = _run(JobArguments.parse(job, given), show, notice, fresh=fresh)
    notice.send(code)
    console.leave_at_once(code)


def _run(
    arguments: JobArguments,
    show: Show,
    notice: "Notice",
    *,
    fresh: bool,
) -> ExitCode:
    """Run one job, and return its exit code."""
    from llmbatch.cli.job_run import JobRun

    job = JobRun(arguments, show, notice, fresh)
    try:
        return job.run()
    except LlmbatchError as error:
        if job.is_told:
            notice.send(error.exit_code)
            console.leave_with(error)
        raise


def _run_all(
    names: Sequence[str],
    given: dict[str, Any],
    show: Show,
    notify: str | None,
    *,
    fresh: bool,
) -> NoReturn:
    """Run several jobs, and leave with the worst of their exit codes."""
    from llmbatch.cli import job_series

    console.leave_at_once(job_series.run(names, given, show, notify, fresh=fresh))


def _with_reports(given: dict[str, Any], reports: Sequence[Path]) -> dict[str, Any]:
    return given | {"run__reports": tuple(str(path) for path in reports)}
