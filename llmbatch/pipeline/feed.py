"""Requests of one pass in planned order, chunk by chunk, until something says stop."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import orjson

from llmbatch.core import clock, retry
from llmbatch.core.records import Constraint, Message, Request, Sampling
from llmbatch.core.retry import Tries
from llmbatch.pipeline.limits import Limits
from llmbatch.store import plans
from llmbatch.store.database import Database
from llmbatch.store.plans import PlannedRequest


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request in flight: its place, the rows it answers, its failed tries, when it was sent."""

    key: str
    position: int
    copies: int
    tries: Tries
    sent_at: float


class Feed:
    """An iterator of requests for the engine. It ends early once a stop was asked for.

    A chunk is the unit of reading: one query brings its requests into memory, and the engine
    goes from one chunk to the next without a pause.
    """

    def __init__(
        self,
        db: Database,
        positions: Sequence[int],
        tries: Mapping[int, Tries],
        chunk_size: int,
        sampling: Sampling,
        constraint: Constraint | None,
        limits: Limits,
    ) -> None:
        self._db = db
        self._positions = positions
        self._tries = tries
        self._chunk_size = chunk_size
        self._constraint = constraint
        self._limits = limits
        # One object for all requests that are sent alike: engines cache by it.
        self._sampling = lru_cache(lambda tries: retry.sampling_for(sampling, tries))
        self._in_flight: dict[str, Ticket] = {}

    def __iter__(self) -> Iterator[Request]:
        for _, group in groupby(self._positions, key=lambda position: position // self._chunk_size):
            for planned in self._chunk(set(group)):
                if not self._limits.take():
                    return
                yield self._request(planned)

    def _chunk(self, positions: set[int]) -> list[PlannedRequest]:
        held = plans.requests(self._db, min(positions), max(positions))
        return [planned for planned in held if planned.position in positions]

    def _request(self, planned: PlannedRequest) -> Request:
        tries = self._tries.get(planned.position, retry.NONE)
        messages = tuple(Message(role, text) for role, text in orjson.loads(planned.messages))
        self._in_flight[planned.key] = Ticket(
            planned.key, planned.position, planned.copies, tries, clock.seconds()
        )
        return Request(planned.key, messages, self._sampling(tries), self._constraint)

    def settle(self, key: str) -> Ticket:
        """The ticket of a request in flight; to be asked once, when its outcome has come."""
        return self._in_flight.pop(key)

    def in_flight(self) -> list[Ticket]:
        """What was given to the engine and has no outcome yet, in the order it was sent."""
        return list(self._in_flight.values())
