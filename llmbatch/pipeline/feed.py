"""The pending requests in planned order, chunk by chunk, until something says stop."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import orjson

from llmbatch.core.records import Constraint, Message, Request, Sampling
from llmbatch.pipeline.stops import Stops
from llmbatch.store import plans
from llmbatch.store.database import Database
from llmbatch.store.plans import PlannedRequest


class Feed:
    """An iterator of requests for the engine. It ends early once a signal has come.

    A chunk is the unit of reading: one query brings its requests into memory, and the engine
    goes from one chunk to the next without a pause.
    """

    def __init__(
        self,
        db: Database,
        positions: Sequence[int],
        chunk_size: int,
        sampling: Sampling,
        constraint: Constraint | None,
        stops: Stops,
    ) -> None:
        self._db = db
        self._positions = positions
        self._chunk_size = chunk_size
        self._sampling = sampling
        self._constraint = constraint
        self._stops = stops
        self._copies: dict[str, int] = {}

    def __iter__(self) -> Iterator[Request]:
        for _, group in groupby(self._positions, key=lambda position: position // self._chunk_size):
            for planned in self._chunk(set(group)):
                if self._stops.drain:
                    return
                self._copies[planned.key] = planned.copies
                yield self._request(planned)

    def _chunk(self, positions: set[int]) -> list[PlannedRequest]:
        held = plans.requests(self._db, min(positions), max(positions))
        return [planned for planned in held if planned.position in positions]

    def _request(self, planned: PlannedRequest) -> Request:
        messages = tuple(Message(role, text) for role, text in orjson.loads(planned.messages))
        return Request(planned.key, messages, self._sampling, self._constraint)

    def rows_of(self, key: str) -> int:
        """How many rows a request in flight answers; to be asked once, when it has settled."""
        return self._copies.pop(key)
