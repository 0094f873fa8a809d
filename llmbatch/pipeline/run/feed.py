"""The feed of a round: its requests in planned order, chunk by chunk, until the run is to stop."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any

from llmbatch.core import clock
from llmbatch.core.outcomes import NO_TRIES, Completed, Outcome, Tries
from llmbatch.core.records import Request
from llmbatch.pipeline.run.feedback import Feedback
from llmbatch.pipeline.run.limits import RunLimits
from llmbatch.pipeline.run.stragglers import Stragglers
from llmbatch.pipeline.tasks import adapters, samples
from llmbatch.pipeline.tasks.base import Task
from llmbatch.store import plans
from llmbatch.store.database import Database
from llmbatch.store.plans import PlannedRequest


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request in flight. `position`: in the plan; `rows`: those that it answers, one of several
    samples as its share of a row; `tries`: its failed ones; `sent_at`: clock.seconds(); `size`:
    characters of its messages; `body`: what it asks for beside them; `told`: it was told of its
    failed answer."""

    key: str
    position: int
    rows: float
    tries: Tries
    sent_at: float
    size: int = 0
    body: Mapping[str, Any] | None = None
    told: bool = False


class RequestFeed:
    """An iterator of requests for the engine. It ends early when the run is to stop.

    A chunk is the unit of reading: one query brings its requests into memory, and the engine
    goes from one chunk to the next without a pause. Requests that failed or were lost during the
    round follow its last chunk at once, so that the engine does not run dry before retries.
    """

    def __init__(
        self,
        db: Database,
        positions: Sequence[int],
        tries: Mapping[int, Tries],
        chunk_size: int,
        task: Task,
        limits: RunLimits,
        stragglers: Stragglers,
        feedback: Feedback,
        in_doubt: Callable[[], bool] = lambda: False,
    ) -> None:
        """`in_doubt`: asked before each request; True to send what is to be tried again first."""
        self._db = db
        self._positions = positions
        self._tries = tries
        self._chunk_size = chunk_size
        self._task = task
        self._limits = limits
        self._stragglers = stragglers
        self._feedback = feedback
        self._in_doubt = in_doubt
        self._in_flight: dict[str, Ticket] = {}
        self._again: deque[int] = deque()
        self._newer_tries: dict[int, Tries] = {}
        self.sent_again = 0
        """Requests that were sent once more in this round."""
        self.paused = False
        """True once the feed has ended, or is to end, before its last request. The next round sends
        the rest when all that is in flight has settled."""

    def __iter__(self) -> Iterator[Request]:
        for planned in chain(self._planned_or_resent(), self._resent()):
            if self.paused or not self._limits.take(len(self._in_flight)):
                self.paused = True
                return
            yield self._request(planned)

    def _planned_or_resent(self) -> Iterator[PlannedRequest]:
        for planned in self._planned():
            if self._again and self._in_doubt():
                yield from self._resent()
            yield planned

    def _planned(self) -> Iterator[PlannedRequest]:
        """In planned order, but for the last ones, of which long ones may come earlier; with an
        adapter and without stay apart, which some engines cannot run together."""
        requests = self._chunks()
        remaining = len(self._positions)
        for planned in requests:
            # Asked for each request: an engine that has just started may not have reported it.
            if remaining <= self._stragglers.end:
                for _, part in groupby(chain([planned], requests), key=_has_adapter):
                    yield from self._stragglers.ordered(part, self._sizes)
                return
            remaining -= 1
            yield planned

    def _chunks(self) -> Iterator[PlannedRequest]:
        for _, group in groupby(self._positions, key=lambda position: position // self._chunk_size):
            # In ascending order: isolation gives its groups in the order of sending.
            yield from self._read(sorted(group))

    def _resent(self) -> Iterator[PlannedRequest]:
        while self._again:
            count = min(len(self._again), self._chunk_size)
            positions = sorted(self._again.popleft() for _ in range(count))
            self.sent_again += count
            yield from self._read(positions)

    def _read(self, positions: Sequence[int]) -> list[PlannedRequest]:
        requests = plans.requests_at(self._db, positions)
        self._feedback.read(requests, {at: self._tries_of(at) for at in positions})
        return requests

    def _tries_of(self, position: int) -> Tries:
        return self._newer_tries.get(position) or self._tries.get(position, NO_TRIES)

    def _sizes(self) -> list[int]:
        return [ticket.size for ticket in self.in_flight()]

    def _request(self, planned: PlannedRequest) -> Request:
        position = planned.position
        tries = self._tries_of(position)
        request = samples.request_of(self._task, planned, tries)
        told = self._feedback.tell(request)
        self._in_flight[planned.key] = Ticket(
            planned.key,
            position,
            planned.rows,
            tries,
            clock.seconds(),
            len(planned.messages),
            request.body,
            told is not None,
        )
        return told or request

    def take(self, outcome: Outcome) -> Ticket:
        """Take a request out of flight whose outcome has come."""
        ticket = self._in_flight.pop(outcome.key)
        if isinstance(outcome, Completed):
            self._stragglers.learn(ticket.size, outcome.usage)
        return ticket

    def send_again(self, ticket: Ticket, tries: Tries) -> None:
        """Send a request once more. `tries`: its failed ones by now."""
        self._newer_tries[ticket.position] = tries
        self._again.append(ticket.position)

    def lose(self, keys: Iterable[str]) -> list[Ticket]:
        """Take requests out of flight that will have no outcome."""
        return [self._in_flight.pop(key) for key in keys]

    def pause(self) -> None:
        """Send nothing more in this round."""
        self.paused = True

    @property
    def flying(self) -> int:
        """The number of requests that the engine has and has not settled."""
        return len(self._in_flight)

    def in_flight(self) -> list[Ticket]:
        """The requests that the engine has and has not settled, in the order of sending."""
        return list(self._in_flight.values())


def _has_adapter(planned: PlannedRequest) -> bool:
    return adapters.is_named(planned.body)
