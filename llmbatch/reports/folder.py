"""The report of a folder: all of its jobs, and their cost."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from llmbatch.accounting import runs
from llmbatch.accounting.usage import RunUsage
from llmbatch.core import clock
from llmbatch.core.clock import utc
from llmbatch.core.errors import LlmbatchError, LockedError, UsageError
from llmbatch.job import stored
from llmbatch.job.cost import CostSpec
from llmbatch.job.finder import JobsFound
from llmbatch.job.folder import JobPaths
from llmbatch.reports import last_report
from llmbatch.store import faults, lock, results, run_records
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store
from llmbatch.store.results import Counts

FOLDER_VERSION = 3

State = Literal["ended", "killed", "running", "unread", "new"]


@dataclass(frozen=True, slots=True)
class LastRun:
    """The end of the newest run of a job; a killed one has no exit code."""

    run: int
    started_at: datetime
    ended_at: datetime
    reason: str
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class Amount:
    """Money in one currency, and the device-hours and rows of the runs that it was paid for."""

    currency: str
    cost: float
    device_hours: float
    rows: int


@dataclass(frozen=True, slots=True)
class RunTotals:
    """Sums over the runs of a job, or of all jobs; `rows`: those that they settled.

    `amounts`: the money by currency, of the runs that had a price; the others are
    `unpriced_runs`, which took `unpriced_hours` of a device. `cost`, in `currency`, and
    `cost_per_1000_rows` are those of the runs that had a price; None unless it was in one
    currency.
    """

    runs: int
    rows: int
    device_hours: float
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    currency: str | None
    cost: float | None
    cost_per_1000_rows: float | None
    amounts: list[Amount]
    unpriced_runs: int
    unpriced_hours: float


@dataclass(frozen=True, slots=True)
class JobLine:
    """One job. `job`: its state folder, from the folder that was asked for.

    `state`: "ended", "killed", "running" (`note`: its progress), "unread" (`note`: the reason) or
    "new" (no run has begun). The store of a running job cannot be read meanwhile: `spent` is that
    of its earlier runs, as its last report has them (None without one).
    """

    job: str
    state: State
    note: str | None
    model: str | None
    rows_in: int | None
    counts: Counts | None
    last_run: LastRun | None
    spent: RunTotals | None


@dataclass(frozen=True, slots=True)
class FolderReport:
    """The jobs below `folder`, the costliest first, and the sums over them.

    `since`: only runs that began then or later are counted, and the `idle` jobs, which had none,
    are left out. `running` and `unread` jobs are in the list. The `closed` folders could
    not be read; the jobs in them are not known.
    """

    version: int
    made_at: datetime
    folder: str
    since: datetime | None
    total: RunTotals
    running: int
    unread: int
    idle: int
    closed: list[str]
    jobs: list[JobLine]


def build(
    folder: Path, found: JobsFound, *, since: datetime | None = None, cost: CostSpec | None = None
) -> FolderReport:
    """Read the jobs one after the other; each is held only while it is read.

    `since` is in UTC, without a time zone, as in the store; the settings of `cost` win over those
    of all runs.
    """
    looks = [_look(folder, job, cost) for job in found.jobs]
    if since is not None:
        looks = [look.later(since) for look in looks]
    shown = [look for look in looks if since is None or look.runs is None or look.runs]
    lines = sorted((look.line() for look in shown), key=_rank)
    return FolderReport(
        version=FOLDER_VERSION,
        made_at=utc(clock.now()),
        folder=str(folder),
        since=since,
        total=sum_up([run for look in shown for run in look.runs or []]),
        running=sum(line.state == "running" for line in lines),
        unread=sum(line.state == "unread" for line in lines),
        idle=len(looks) - len(shown),
        closed=found.closed,
        jobs=lines,
    )


def _rank(line: JobLine) -> tuple[Any, ...]:
    """By currency, the costliest first; then those without money, the longest first."""
    if line.spent is None:
        return (2, "", 0.0, line.job)
    costliest = max(line.spent.amounts, key=lambda amount: amount.cost, default=None)
    if costliest is None:
        return (1, "", -line.spent.device_hours, line.job)
    return (0, costliest.currency, -costliest.cost, line.job)


@dataclass(frozen=True, slots=True)
class _Look:
    """A job as it was found; `runs`: None where they are not known."""

    job: str
    state: State
    note: str | None = None
    model: str | None = None
    counts: Counts | None = None
    last: RunUsage | None = None
    runs: list[RunUsage] | None = None

    def later(self, since: datetime) -> "_Look":
        """The same with the runs that began since then."""
        if self.runs is None:
            return self
        return replace(self, runs=[run for run in self.runs if run.started_at >= since])

    def line(self) -> JobLine:
        last = self.last
        return JobLine(
            job=self.job,
            state=self.state,
            note=self.note,
            model=self.model,
            rows_in=None if self.counts is None else self.counts.rows_in,
            counts=self.counts,
            last_run=None
            if last is None
            else LastRun(last.run, last.started_at, last.ended_at, last.reason, last.exit_code),
            spent=None if self.runs is None else sum_up(self.runs),
        )


def _look(folder: Path, job: JobPaths, cost: CostSpec | None) -> _Look:
    place = job.state.relative_to(folder)
    name = place.as_posix() if place.name else folder.resolve().name
    if lock.holder(job.lock) is not None:
        return _running(name, job, cost)
    try:
        with open_store(job.store, read_only=True) as db, faults.understood(job.store):
            return _at_rest(name, db, cost)
    except LockedError:
        return _running(name, job, cost)
    except UsageError:
        raise  # the request holds for no job
    except (LlmbatchError, OSError) as error:
        return _Look(name, "unread", " ".join(str(error).split()))


def _at_rest(name: str, db: Database, cost: CostSpec | None) -> _Look:
    summaries = run_records.summaries(db)
    if not summaries:
        return _Look(name, "new", "no run has begun here yet", runs=[])
    every = runs.read(db, summaries, run_records.starts(db), cost)
    return _Look(
        job=name,
        state="killed" if summaries[-1].ended is None else "ended",
        model=stored.read_settings(summaries[-1].spec)["model"],
        counts=results.counts(db),
        last=every[-1],
        runs=every,
    )


def _running(name: str, job: JobPaths, cost: CostSpec | None) -> _Look:
    return _Look(name, "running", last_report.standing(job), runs=last_report.runs(job, cost))


def sum_up(of: Sequence[RunUsage]) -> RunTotals:
    """The sums over some runs."""
    amounts = _amounts(of)
    unpriced = [run for run in of if run.cost is None]
    only = amounts[0] if len(amounts) == 1 else None
    return RunTotals(
        runs=len(of),
        rows=sum(run.rows for run in of),
        device_hours=sum(run.device_hours for run in of),
        prompt_tokens=sum(run.prompt_tokens for run in of),
        cached_tokens=sum(run.cached_tokens for run in of),
        output_tokens=sum(run.output_tokens for run in of),
        currency=only.currency if only else None,
        cost=only.cost if only else None,
        cost_per_1000_rows=only.cost / only.rows * 1000 if only and only.rows else None,
        amounts=amounts,
        unpriced_runs=len(unpriced),
        unpriced_hours=sum(run.device_hours for run in unpriced),
    )


def _amounts(of: Iterable[RunUsage]) -> list[Amount]:
    priced: dict[str, list[RunUsage]] = defaultdict(list)
    for run in of:
        if run.cost is not None:
            priced[run.currency].append(run)
    return [
        Amount(
            currency=currency,
            cost=sum(run.cost or 0.0 for run in paid),
            device_hours=sum(run.device_hours for run in paid),
            rows=sum(run.rows for run in paid),
        )
        for currency, paid in sorted(priced.items())
    ]
