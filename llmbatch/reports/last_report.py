"""A job whose store a run holds, by its live view and its last report."""

from dataclasses import asdict, replace

import orjson
from pydantic import TypeAdapter, ValidationError

from llmbatch.accounting import runs as accounting_runs
from llmbatch.accounting.usage import RunUsage
from llmbatch.core import units
from llmbatch.core.clock import utc
from llmbatch.core.errors import UsageError
from llmbatch.job.cost import CostSpec
from llmbatch.job.folder import JobPaths
from llmbatch.pipeline.monitoring import status
from llmbatch.reports.report import REPORT_VERSION


def standing(job: JobPaths) -> str:
    """The progress of a running job in a few words."""
    try:
        seen = status.read(job)
    except (UsageError, OSError):
        return "starting"
    if seen.get("phase") == "ended":
        return "starting"
    progress = seen.get("progress")
    if not progress:
        return str(seen.get("phase", "starting"))
    cost = progress.get("cost")
    paid = "" if cost is None else f", {units.money(cost, progress['currency'])} so far"
    of = units.count(progress["rows"], "row")
    return f"{seen['phase']}: {progress['rows_done']:,} of {of}{paid}"


def runs(job: JobPaths, cost: CostSpec | None) -> list[RunUsage] | None:
    """The runs of the job's last report, with what `cost` sets; None if there is none, or one of
    another version."""
    try:
        report = orjson.loads(job.report.read_bytes())
        if report["version"] != REPORT_VERSION:
            return None
        kept = TypeAdapter(list[RunUsage]).validate_python(report["runs"])
    except (OSError, ValueError, TypeError, KeyError, ValidationError):
        return None
    return [_priced(run, cost) for run in kept]


def _priced(run: RunUsage, cost: CostSpec | None) -> RunUsage:
    """The run with times as the store has them, and with the prices that win over its own."""
    rates = run.price_per_million
    table = {
        "price_per_hour": run.price_per_hour,
        "price_per_million": None if rates is None else asdict(rates),
        "devices": run.devices,
        "currency": run.currency,
    }
    settings = accounting_runs.cost_of({"cost": table}, cost)
    return replace(
        run,
        started_at=utc(run.started_at),
        ended_at=utc(run.ended_at),
        price_per_hour=settings.price_per_hour,
        price_per_million=accounting_runs.rates(settings.price_per_million),
        devices=settings.devices or run.devices,
        currency=settings.currency,
    )
