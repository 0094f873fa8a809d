"""Several replicas of an engine as one engine, over any kind of transport.

The fleet works in the thread of its run. At each turn it pulls requests, gives them to the replicas
that have room, makes a call to each that has work, and takes the replies that have come. A replica
that dies costs what it had in flight, and is started again alone.
"""

import threading
from collections.abc import Iterable, Iterator
from typing import Self

from llmbatch.core import clock
from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Lost, Outcome
from llmbatch.core.records import Request
from llmbatch.engines.base import Engine, Telemetry
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.info import EngineInfo
from llmbatch.engines.parts import PartEvent
from llmbatch.engines.replicas import totals
from llmbatch.engines.replicas.count import ReplicaCount
from llmbatch.engines.replicas.crew import Crew
from llmbatch.engines.replicas.idle import Idle
from llmbatch.engines.replicas.link import Transport
from llmbatch.engines.replicas.prototype import AskedOfPrototype
from llmbatch.engines.routing import Filling, Router

# Seconds: for replies to come; for requests to be pulled before replies are looked at.
_TURN = 0.1
_PULL = 0.005
_END = "the feed has ended"


class Fleet(AskedOfPrototype):
    """See `llmbatch.engines.base.Engine` for what it promises.

    `prototype`: an engine of the same settings, never started; `transport`: the way to replicas,
    which becomes the fleet's own. Raises UsageError where there is no room for what is wished.
    """

    def __init__(
        self, prototype: Engine, config: EngineConfig, transport: Transport, wished: ReplicaCount
    ) -> None:
        super().__init__(prototype, config, wished.least)
        self._router, self._filling = Router(), Filling()
        self._crew = Crew(config, transport, wished, self._router.forget)
        self._idle = Idle()
        self._more = False
        self._worker: int | None = None

    def __enter__(self) -> Self:
        """Start all replicas; return when the first one is ready."""
        self._worker = threading.get_ident()
        try:
            self._crew.require_open()
            self._crew.begin()
            while self._crew.info is None:
                self._crew.exchange(_TURN)
                if not self._crew.is_alive:
                    raise EngineError(self._crew.reason)
        except BaseException:
            self._worker = None
            self.close()
            raise
        self._worker = None
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._crew.close(at_once=self._worker not in (None, threading.get_ident()))

    def run(self, requests: Iterable[Request]) -> Iterator[Outcome | Lost]:
        return self.run_with_pauses(requests)

    def run_with_pauses(self, requests: Iterable[Request | None]) -> Iterator[Outcome | Lost]:
        self._crew.require_open()
        if self._crew.info is None:
            raise EngineError(f"engine died: {self._crew.reason}")
        feed = iter(requests)
        self._more = True
        self._idle.skip()
        self._worker = threading.get_ident()
        try:
            while True:
                hurry = self._pull(feed)
                if not self._more and not self._crew.flying:
                    return
                self._crew.exchange(0.0 if hurry else _TURN, hurry=hurry)
                if self._crew.events:
                    yield from self._settled()
                elif self._crew.is_hopeless:
                    raise EngineError(f"engine died: {self._crew.reason}")
        finally:
            self._more = False
            self._crew.give_up()
            self._worker = None

    def describe(self) -> EngineInfo:
        if self._crew.info is None:
            raise EngineError("the engine is not started")
        return totals.description(self._crew.info, len(self._crew.members))

    def telemetry(self) -> Telemetry:
        return totals.telemetry(tuple(self._crew.members), self._idle.seconds)

    def part_events(self) -> list[PartEvent]:
        told, found = self._crew.told, []
        while told:
            found.append(told.popleft())
        return found

    def _pull(self, feed: Iterator[Request | None]) -> bool:
        """Pull requests and assign them to replicas; True if there is room for more."""
        members = self._crew.ready()
        if not self._more:
            return False
        ready = list(members.values())
        self._idle.pass_time(ready)
        room = self._filling.offered(
            {number: member.room for number, member in members.items()},
            {number: member.window for number, member in members.items()},
        )
        until = clock.seconds() + _PULL
        while room:
            request = next(feed, _END)
            is_late = clock.seconds() > until
            if is_late:
                self._idle.pass_time(ready)
            if request is None or isinstance(request, str):
                self._more = request is None
                return False
            chosen = self._router.choose(request, room)
            members[chosen].assign(request)
            room[chosen] -= 1
            if room[chosen] == 0:
                del room[chosen]
            if is_late:
                break
        return bool(room)

    def _settled(self) -> Iterator[Outcome | Lost]:
        """The outcomes that have come. The time that their taker needs is no stall."""
        began = clock.seconds()
        while self._crew.events:
            yield self._crew.events.popleft()
        away = clock.seconds() - began
        self._idle.skip()
        for member in self._crew.members:
            member.moved_at += away
