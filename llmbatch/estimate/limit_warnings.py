"""Warnings of the limits that would stop a job's next run before its end, by its estimate."""

from llmbatch.core import clock
from llmbatch.core.interval import Interval
from llmbatch.estimate.time_and_cost import CostEstimate
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import limits


def find(spec: JobSpec, requests: int, seconds: Interval | None, money: CostEstimate) -> list[str]:
    """A line for each limit that would, or may, stop the run before its end. `requests`: to do;
    `seconds`: of the run, if it began now."""
    run = spec.run
    warnings: list[str | None] = []
    if run.max_rows is not None:
        warnings.append(
            _warning(f"--max-rows {run.max_rows}", Interval.exactly(requests), run.max_rows)
        )
    if run.max_cost is not None:
        name = f"the budget of {run.max_cost:,.6g} {spec.cost.currency}"
        warnings.append(_warning(name, money.cost, run.max_cost))
    if run.deadline is not None:
        now = clock.seconds()
        remaining = limits.deadline_of(spec, now) - now
        warnings.append(_warning(f"the deadline {run.deadline}", seconds, remaining))
    return [line for line in warnings if line is not None]


def _warning(name: str, expected: Interval | None, limit: float) -> str | None:
    if expected is None or expected.high <= limit:
        return None
    certain = "would" if expected.expected > limit else "may"
    return f"{name} {certain} stop the run before its end"
