"""`llmbatch report`, and the reports that a run writes at its end."""

import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llmbatch.cli import console
from llmbatch.cli.find_job import find
from llmbatch.core import files
from llmbatch.core.errors import UsageError
from llmbatch.core.money import check_currency
from llmbatch.job import finder, targets
from llmbatch.job.cost import CostSpec
from llmbatch.job.spec import JobSpec
from llmbatch.job.targets import Target
from llmbatch.reports import folder as reports_folder
from llmbatch.reports import renderers, schema
from llmbatch.reports import report as reports_report
from llmbatch.reports.folder import FolderReport
from llmbatch.reports.report import Report
from llmbatch.store import faults
from llmbatch.store.opening import open_store

STDOUT = Path("-")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a report shall look like, where it shall go, and what is asked of it: `since` (a date
    or time), `costs` (keys of the [cost] table that win over the job's)."""

    output: Path | None = None
    style: str | None = None
    since: str | None = None
    costs: dict[str, Any] = field(default_factory=dict)


def report(job: Path | None, folder: Path | None, wish: Wish, *, schema: bool = False) -> None:
    """Show or write the report of `job`, or of all jobs below `folder`.

    Raises UsageError for what cannot be asked together, cannot be read or cannot be written.
    """
    if schema:
        _check_alone(job, wish)
    if job is not None and folder is not None:
        raise UsageError(f"both a job ({job}) and --all {folder}: give one of them")
    if wish.since is not None and folder is None:
        raise UsageError("--since goes with --all DIR: the report of a job has all of its runs")
    if schema:
        _check_file(None, wish)
        _deliver(_schema(of_folder=folder is not None), wish)
        return
    if job is None and folder is None:
        raise UsageError("give a JOB (its output, job file or state folder), or --all DIR")
    style = _style(wish)
    _check_file(job, wish)
    told = _of_job(job, wish) if job is not None else _of_folder(folder or Path(), wish)
    with faults.understood(job or folder or Path()):
        text = renderers.render(told, style)
    _deliver(text, wish)


def _check_alone(job: Path | None, wish: Wish) -> None:
    """Raise UsageError for what a schema has nothing to do with."""
    if job is not None:
        raise UsageError(f"--schema is the same for every job: leave out {job}")
    if wish.style not in (None, "json"):
        raise UsageError(f"--schema is that of --format json: leave out --format {wish.style}")
    for name, given in (("since", wish.since), *wish.costs.items()):
        if given is not None:
            raise UsageError(f"--schema holds no figures: leave out {_flag(name)}")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _schema(*, of_folder: bool) -> str:
    return schema.text(FolderReport if of_folder else Report)


def _style(wish: Wish) -> str:
    """The form that was asked for. A page for a browser is not poured over a terminal."""
    if wish.output is None or wish.output == STDOUT:
        style = wish.style or "text"
        if style == "html" and sys.stdout.isatty():
            raise UsageError("html is for a browser: name a file, as in -o report.html")
        return style
    return wish.style or renderers.style_of(wish.output)


def _check_file(job: Path | None, wish: Wish) -> None:
    """Raise UsageError for a file that the report cannot or must not be written to."""
    if wish.output is not None and wish.output != STDOUT:
        folders = {} if job is None else {find(job).state: "state folder"}
        targets.check([Target("report", wish.output, renderers.is_report)], {}, folders)


def _of_job(job: Path, wish: Wish) -> Report:
    override = _override(wish.costs)
    found = find(job)
    with open_store(found.store, read_only=True) as db, faults.understood(found.store):
        built = reports_report.build(db, override)
    if built is None:
        raise UsageError(f"{found.state}: no run has begun here yet")
    return built


def _of_folder(folder: Path, wish: Wish) -> FolderReport:
    since = None if wish.since is None else _moment(wish.since)
    for name in ("attribute_by", "listed_price"):
        if name in wish.costs:
            raise UsageError(f"{_flag(name)} is for the report of one job, not for --all {folder}")
    found = finder.below(folder)
    if not found.jobs:
        console.say(f"no jobs below {folder}")
    for closed in found.closed:
        console.say(f"warning: {closed}")
    return reports_folder.build(folder, found, since=since, cost=_override(wish.costs))


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
        raise UsageError("; ".join(_problem(dict(item)) for item in error.errors())) from error
    try:
        check_currency(costs.currency)
    except ValueError as error:
        raise UsageError(f"--currency: {error} (got {costs.currency[:80]!r})") from error
    return costs


def _problem(error: dict[str, Any]) -> str:
    what: str = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return what
    return f"{_flag(str(error['loc'][0]))}: {what} (got {str(error['input'])[:80]!r})"


def _deliver(text: str, wish: Wish) -> None:
    if wish.output is None or wish.output == STDOUT:
        console.data(text)
        return
    try:
        write(wish.output, text)
    except OSError as error:
        raise UsageError(f"{wish.output}: cannot be written: {error.strerror}") from error
    console.say(f"report written to {wish.output}")


def write(path: Path, text: str) -> None:
    """Put a report under its name, whole or not at all. Raises OSError."""
    with files.atomic(path) as stream:
        stream.write(text.encode())


def written(spec: JobSpec) -> list[Target]:
    """The files that a run of the job writes its report to. Raises UsageError for one whose name
    tells no form."""
    return [_of_run(Path(name)) for name in spec.run.reports]


def _of_run(path: Path) -> Target:
    if path == STDOUT:
        raise UsageError("--report: name a file; the report is shown on stderr anyway")
    renderers.style_of(path)
    return Target("report", path, renderers.is_report)
