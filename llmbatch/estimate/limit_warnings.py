"""Which limits of a job would stop its next run before the end, by what it is expected to take."""

from llmbatch.core import clock
from llmbatch.core.interval import Interval
from llmbatch.estimate.time_and_cost import CostEstimate
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import limits


def find(spec: JobSpec, requests: int, seconds: Interval | None, money: CostEstimate) -> list[str]:
    """A line for each limit that the run would, or may, not keep to the end. `requests` to do;
    `seconds` of the run, if it were begun now."""
    run = spec.run
    found: list[str | None] = []
    if run.max_rows is not None:
        found.append(_told(f"--max-rows {run.max_rows}", Interval.exactly(requests), run.max_rows))
    if run.max_cost is not None:
        name = f"the budget of {run.max_cost:,.6g} {spec.cost.currency}"
        found.append(_told(name, money.cost, run.max_cost))
    if run.deadline is not None:
        now = clock.seconds()
        left = limits.deadline_of(spec, now) - now
        found.append(_told(f"the deadline {run.deadline}", seconds, left))
    return [line for line in found if line is not None]


def _told(name: str, expected: Interval | None, limit: float) -> str | None:
    if expected is None or expected.high <= limit:
        return None
    certain = "would" if expected.expected > limit else "may"
    return f"{name} {certain} stop the run before its end"
