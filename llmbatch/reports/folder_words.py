"""The words that all forms of the report on the jobs of a folder share."""

from llmbatch.core import units
from llmbatch.reports.folder import FolderReport, JobLine, RunTotals
from llmbatch.reports.table import NONE, Table, TableLine, places

HEADER = (
    "cost",
    "per 1,000 rows",
    "device-hours",
    "tokens",
    "rows in",
    "answered",
    "failed",
    "rejected",
    "skipped",
    "pending",
    "runs",
    "last run",
    "job",
    "state",
)


def table(report: FolderReport) -> Table:
    """A line for each job, the costliest first."""
    lines = [TableLine(cells(line)) for line in report.jobs]
    return Table("jobs", "Jobs", HEADER, lines, texts=places(HEADER, "last run", "job", "state"))


def cells(line: JobLine) -> list[str]:
    """One job: a cell for each of HEADER."""
    return [*_of_spent(line.spent), *_of_rows(line), *_of_runs(line), line.job, state(line)]


def _of_spent(spent: RunTotals | None) -> list[str]:
    if spent is None:
        return [NONE] * 4
    each = spent.cost_per_1000_rows
    return [
        money(spent),
        NONE if each is None or spent.currency is None else units.money(each, spent.currency),
        hours(spent.device_hours),
        units.number(spent.prompt_tokens + spent.output_tokens),
    ]


def _of_rows(line: JobLine) -> list[str]:
    if line.counts is None:
        return [NONE] * 6
    counts = line.counts
    done = (counts.answered, counts.failed, counts.rejected, counts.skipped)
    return [units.number(number) for number in (counts.rows_in, *done, counts.pending)]


def _of_runs(line: JobLine) -> list[str]:
    began = NONE if line.last_run is None else f"{line.last_run.started_at:%Y-%m-%d %H:%M}Z"
    return [NONE if line.spent is None else units.number(line.spent.runs), began]


def money(spent: RunTotals) -> str:
    """All that was paid, in each currency, for the runs that had a price."""
    paid = [units.money(amount.cost, amount.currency) for amount in spent.amounts]
    return " + ".join(paid) or NONE


def hours(amount: float) -> str:
    """Device-hours: as many digits as matter."""
    return f"{amount:,.1f}" if amount >= 100 else f"{amount:,.4f}"


def state(line: JobLine) -> str:
    """The state of the job, or the end of its last run."""
    parts: list[str] = [line.state]
    if line.last_run is not None:
        code = line.last_run.exit_code
        ended = f"{line.last_run.reason}, exit code {code}"
        parts = [ended if line.state == "ended" else line.state]
    if line.note:
        parts.append(line.note)
    if line.spent is not None and line.spent.amounts and line.spent.unpriced_runs:
        parts.append(f"{units.count(line.spent.unpriced_runs, 'run')} without a price")
    return "; ".join(parts)


def heading(report: FolderReport) -> str:
    """The number of jobs, and their folder."""
    since = "" if report.since is None else f" with runs since {report.since:%Y-%m-%d %H:%M}Z"
    return f"{units.count(len(report.jobs), 'job')} below {report.folder}{since}"


def totals(report: FolderReport) -> list[str]:
    """The sums over all jobs: a line for each currency, and one for what had no price."""
    total = report.total
    lines = [
        f"{units.money(amount.cost, amount.currency)} for {hours(amount.device_hours)} "
        f"device-hours and {units.count(amount.rows, 'row')}"
        for amount in total.amounts
    ]
    if total.unpriced_runs:
        lines.append(
            f"without a price: {units.count(total.unpriced_runs, 'run')}, "
            f"{hours(total.unpriced_hours)} device-hours"
        )
    return lines


def remarks(report: FolderReport) -> list[str]:
    """The jobs and folders that are not in the sums, with the reasons."""
    lines = []
    if report.running:
        jobs = units.count(report.running, "job")
        lines.append(f"{jobs} running: what the present run takes is not counted")
    if report.unread:
        lines.append(f"{units.count(report.unread, 'job')} that cannot be read: not counted")
    if report.idle:
        lines.append(f"{units.count(report.idle, 'job')} without a run since then: left out")
    return lines + [f"not looked into: {closed}" for closed in report.closed]
