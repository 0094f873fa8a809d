"""A sample of a job's requests, read and planned in a store that is thrown away."""

from dataclasses import dataclass
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.core.outcomes import NO_TRIES
from llmbatch.core.records import Request
from llmbatch.engines.base import Engine
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run.prepare import plan_aside
from llmbatch.pipeline.tasks import samples
from llmbatch.pipeline.tasks.base import Task
from llmbatch.store import plans, results
from llmbatch.store.database import Database

# A short stretch says little about the prefixes that requests share, and few stretches say little
# about the job: this many, where each can have so many requests; three at least.
_STRETCHES = 9
_STRETCH_REQUESTS = 8
_LEAST = 3


@dataclass(frozen=True, slots=True)
class TrialRequests:
    """Requests of a job that has `planned` of them. No request is in two parts."""

    warm_up: list[Request]
    halves: tuple[list[Request], list[Request]]
    planned: int

    @property
    def requests(self) -> list[Request]:
        """All of them."""
        first, second = self.halves
        return [*self.warm_up, *first, *second]


def draw(job: ReadyJob, engine: Engine, rows: int, folder: Path) -> TrialRequests:
    """`rows` of the job's requests; all, if it has no more. `folder` takes the store.

    Raises UsageError as a run would, and when there are too few requests.
    """
    with plan_aside(job, engine, folder) as (db, _):
        planned = len(plans.pending(db).positions)
        if min(planned, rows) < _LEAST:
            failures = results.failures(db)
            why = f" (others fail: {failures[0].example})" if failures else ""
            raise UsageError(
                f"{job.spec.input.name}: tuning needs {_LEAST} different requests at least, "
                f"and there are {min(planned, rows)}{why}"
            )
        parts = [_requests(db, job.task, *ends) for ends in stretches(planned, rows)]
    middle = parts.pop(len(parts) // 2)
    first, second = ([one for part in parts[k::2] for one in part] for k in (0, 1))
    return TrialRequests(middle, (first, second), planned)


def stretches(planned: int, rows: int) -> list[tuple[int, int]]:
    """First and last positions of equally long stretches, evenly spread over the order.

    Neighbours stay neighbours, so that they share prefixes as they do in the job.
    """
    rows = min(rows, planned)
    count = _STRETCHES if rows >= _STRETCHES * _STRETCH_REQUESTS else _LEAST
    length = rows // count
    starts = (number * planned // count for number in range(count))
    return [(start, start + length - 1) for start in starts]


def rows_for(half: int) -> int:
    """The rows of a sample whose halves have so many requests each."""
    length = -(-half * 2 // (_STRETCHES - 1))
    return max(length, _STRETCH_REQUESTS) * _STRETCHES


def _requests(db: Database, task: Task, first: int, last: int) -> list[Request]:
    return [samples.request_of(task, one, NO_TRIES) for one in plans.requests(db, first, last)]
