"""A report that a user asks for: what is in it, in which form, and where it goes."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llmbatch.cli import console, reading, report_delivery, report_files
from llmbatch.cli.find_job import find
from llmbatch.core.errors import UsageError
from llmbatch.core.money import check_currency
from llmbatch.job import expected, finder
from llmbatch.job.cost import CostSpec
from llmbatch.job.flags import flag_name
from llmbatch.reports import folder as folder_report
from llmbatch.reports import renderers, schema
from llmbatch.reports import report as job_report
from llmbatch.reports.folder import FolderReport
from llmbatch.reports.html import svg as html_svg
from llmbatch.reports.report import Report
from llmbatch.store import faults


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """A report of `job`, or of all jobs below `folder`, in the form `style` (None: by the suffix of
    `output`).

    `output`: None or `-` is standard output. `since`: a date or time; earlier runs do not count.
    `costs`: keys of the [cost] table that win over the job's. `overwrite`: any file is replaced.
    """

    job: Path | None = None
    folder: Path | None = None
    output: Path | None = None
    style: str | None = None
    since: str | None = None
    costs: dict[str, Any] = field(default_factory=dict)
    overwrite: bool = False


def deliver(request: ReportRequest) -> None:
    """Show or write the report.

    Raises UsageError for what cannot be asked together, cannot be read or cannot be written.
    """
    _check_together(request)
    if request.job is None and request.folder is None:
        raise UsageError("give a JOB (its output, job file or state folder), or --all DIR")
    style = report_delivery.style_for(request.output, request.style)
    _check_file(request)
    built = _of_job(request.job, request) if request.job is not None else _of_folder(request)
    with faults.understood(request.job or request.folder or Path()):
        text = renderers.render(built, style)
    if style == "html" and (lacking := html_svg.lacking()):
        console.say(lacking)
    report_delivery.put(text, request.output)


def deliver_schema(request: ReportRequest) -> None:
    """Show or write the JSON schema of such reports. Raises UsageError as `deliver` does."""
    _check_no_figures(request)
    _check_together(request)
    _check_file(request)
    kind = Report if request.folder is None else FolderReport
    report_delivery.put(schema.text(kind), request.output)


def _check_together(request: ReportRequest) -> None:
    if request.job is not None and request.folder is not None:
        jobs = f"both a job ({request.job}) and --all {request.folder}"
        raise UsageError(f"{jobs}: give one of them")
    if request.since is not None and request.folder is None:
        raise UsageError("--since goes with --all DIR: the report of a job has all of its runs")


def _check_no_figures(request: ReportRequest) -> None:
    """Raise UsageError for what a schema has nothing to do with."""
    if request.job is not None:
        raise UsageError(f"--schema is the same for every job: leave out {request.job}")
    if request.style not in (None, "json"):
        raise UsageError(f"--schema is that of --format json: leave out --format {request.style}")
    for name, given in (("since", request.since), *request.costs.items()):
        if given is not None:
            raise UsageError(f"--schema holds no figures: leave out {flag_name(name)}")


def _check_file(request: ReportRequest) -> None:
    """Raise UsageError for a file that the report cannot or must not be written to."""
    is_file = request.output is not None and request.output != report_files.STDOUT
    of_job = request.job is not None and is_file
    folders = {find(request.job).state: "state folder"} if request.job and of_job else {}
    report_delivery.check_file(request.output, folders, overwrite=request.overwrite)


def _of_job(job: Path, request: ReportRequest) -> Report:
    override = _override(request.costs)
    paths = find(job)
    with reading.opened(paths) as db, faults.understood(paths.store):
        built = job_report.build(db, override)
    if built is None:
        raise UsageError(f"{paths.state}: no run has begun here yet")
    return built


def _of_folder(request: ReportRequest) -> FolderReport:
    folder = request.folder or Path()
    since = None if request.since is None else _moment(request.since)
    for name in ("attribute_by", "listed_price"):
        if name in request.costs:
            flag = flag_name(name)
            raise UsageError(f"{flag} is for the report of one job, not for --all {folder}")
    below = finder.find_below(folder)
    if not below.jobs:
        console.say(f"no jobs below {folder}")
    for closed in below.closed:
        console.say(f"warning: {closed}")
    return folder_report.build(folder, below, since=since, cost=_override(request.costs))


def _moment(text: str) -> datetime:
    """A time as the store has them: UTC, without saying so."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"--since: {text!r} is no date or time; write 2026-11-01 or 2026-11-01T18:00"
        ) from error
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _override(given: dict[str, Any]) -> CostSpec | None:
    """The keys of [cost] that were given, checked; None if none was."""
    if not given:
        return None
    try:
        costs = CostSpec.model_validate(given)
    except ValidationError as error:
        found = expected.faults(error, CostSpec)
        raise UsageError("; ".join(_problem(fault) for fault in found)) from error
    try:
        check_currency(costs.currency)
    except ValueError as error:
        raise UsageError(f"--currency: {error} (got {costs.currency[:80]!r})") from error
    return costs


def _problem(fault: dict[str, Any]) -> str:
    what = expected.words(fault, CostSpec)
    return f"{flag_name(str(fault['loc'][0]))}: {what}" if fault["loc"] else what
