"""The replicas of a fleet: started, called, ended, and started again when they have died."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from llmbatch.core import clock
from llmbatch.core.errors import EngineError, MismatchedEngineError
from llmbatch.core.outcomes import Lost, Outcome
from llmbatch.core.units import count
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.info import EngineInfo
from llmbatch.engines.parts import PartEvent
from llmbatch.engines.replicas.count import ReplicaCount
from llmbatch.engines.replicas.link import Link, ReplicaDiedError, Transport
from llmbatch.engines.replicas.member import Member

# Seconds between looks for room for further replicas.
_GROWTH = 5.0
# Seconds without a call to make.
_REST = 0.05
# Seconds in which a replica gives up what is in flight; in which it closes, before it is killed.
_GIVE_UP = 4.0
_CLOSE = 20.0
# Of the run's own time-out: a replica that hangs ends before its whole engine is taken for hung.
_STALL = 0.9


class Crew:
    """Used by one thread, but for `close` and what only reads."""

    def __init__(
        self,
        config: EngineConfig,
        transport: Transport,
        wished: ReplicaCount,
        gone: Callable[[int], None],
    ) -> None:
        """`gone`: called with the number of a replica whose cache is lost."""
        self._config = config
        self._transport = transport
        self._wished = wished
        self._gone = gone
        self._by_link: dict[int, Member] = {}
        self._capacity = 0
        self._looked_at = 0.0
        self._closing = threading.Event()
        # Held while a link is made, and while all of them are ended.
        self._ending = threading.RLock()
        self.members: list[Member] = []
        self.events: deque[Outcome | Lost] = deque()
        self.told: deque[PartEvent] = deque()
        self.info: EngineInfo | None = None
        """Of the first replica that was ready."""
        self.reason = "it was not started"
        """The end of the last replica that has died."""

    @property
    def is_alive(self) -> bool:
        """True if a replica is there: ready, or starting."""
        return bool(self._by_link)

    @property
    def is_hopeless(self) -> bool:
        """True if none is there and none will be started again."""
        return all(member.is_left_out for member in self.members)

    @property
    def flying(self) -> int:
        """Requests in flight."""
        return sum(member.flying for member in self.members)

    def ready(self) -> dict[int, Member]:
        """The replicas that take requests, by number."""
        return {member.number: member for member in self.members if member.is_ready}

    def begin(self) -> None:
        """Begin to start as many as are wished. Raises EngineError where there is no room for the
        least number."""
        capacity = self._transport.capacity()
        number = self._wanted(capacity)
        least = self._wished.least
        if number < least:
            raise EngineError(
                f"{count(least, 'replica')} asked for, and there is room for {capacity}"
            )
        self._capacity, self._looked_at = capacity or number, clock.seconds()
        self.members += [Member(each) for each in range(number)]
        self._start_due()

    def exchange(self, seconds: float, *, hurry: bool = False) -> None:
        """Start those that are due, make a call to each that has work, and take what is replied
        within so many seconds. Raises EngineError once the crew is closed."""
        self._start_due()
        for member in self.members:
            if member.has_call_to_make:
                self._send(member, hurry=hurry)
        calling = [member.link for member in self.members if member.is_calling and member.link]
        if calling:
            for link in self._transport.wait(calling, seconds):
                self._take(link)
        elif seconds:
            self._closing.wait(_REST)
        self.require_open()
        self._end_hung()
        self._grow()

    def give_up(self) -> None:
        """Let the replicas give up what is in flight; end those that do not soon."""
        flying = [member for member in self.members if member.flying]
        for member in self.members:
            member.forget()
        self.events.clear()
        until = clock.seconds() + _GIVE_UP
        asked: set[int] = set()
        while flying and not self._closing.is_set():
            if clock.seconds() > until:
                for member in flying:
                    self._died(member, "it did not give up what was in flight")
            flying = [member for member in flying if self._has_yet_to_give_up(member, asked)]
        self.events.clear()

    def _has_yet_to_give_up(self, member: Member, asked: set[int]) -> bool:
        """One step towards it: the reply that is on its way, then the call that has it given up."""
        if member.link is None:
            return False
        if not member.is_calling:
            if member.number in asked:
                return False
            asked.add(member.number)
            self._send(member, abort=True)
        elif self._transport.wait([member.link], _REST):
            self._take(member.link)
        return True

    def require_open(self) -> None:
        """Raises EngineError once the crew is closed."""
        if self._closing.is_set():
            raise EngineError("engine died: it was closed")

    def close(self, *, at_once: bool) -> None:
        """End all replicas; `at_once`: while another thread may work with them."""
        self._closing.set()
        with self._ending:
            links = [member.link for member in self.members if member.link is not None]
            if links:
                with ThreadPoolExecutor(len(links)) as threads:
                    end = _kill if at_once else _close
                    list(threads.map(end, links))
            self._transport.close()
            if not at_once:
                for member in self.members:
                    self._drop(member)

    def _send(self, member: Member, *, hurry: bool = False, abort: bool = False) -> None:
        try:
            member.call(hurry=hurry, abort=abort)
        except ReplicaDiedError as error:
            self._died(member, str(error))

    def _take(self, link: Link) -> None:
        """Take the reply of a link, if it is still that of a replica."""
        member = self._by_link.get(id(link))
        if member is None:
            return
        try:
            reply = member.receive()
        except ReplicaDiedError as error:
            self._died(member, str(error))
            return
        self.events.extend(member.take(reply))
        if reply.info is not None:
            self._became_ready(member, EngineInfo.from_json(reply.info))
        if reply.state == "failed":
            reason = reply.error or "its engine has ended"
            if reply.is_final:
                raise MismatchedEngineError(reason)
            self._died(member, reason)

    def _became_ready(self, member: Member, info: EngineInfo) -> None:
        member.ready(info)
        self.info = self.info or info
        seconds = clock.seconds() - member.began
        again = " again" if member.starts > 1 else ""
        name = "replica_restarted" if again else "replica_started"
        self._tell(name, member, f"{member.name} started{again} in {seconds:.1f} s")

    def _died(self, member: Member, reason: str, kind: str = "engine_crash") -> None:
        """Note the end of an incarnation, and when the next one is due. Raises EngineError where
        the crew itself has ended it."""
        self.require_open()
        link = member.link
        keys = self._drop(member)
        if link is not None:
            link.kill()
        self.reason = f"{member.name}: {reason}"
        if keys:
            self.events.append(Lost(keys, self.reason, kind))
        if member.is_hopeless(self._config.restarts):
            member.is_left_out = True
            after = f"left out after {count(member.starts, 'start')}"
        else:
            pause = member.pause()
            member.due = clock.seconds() + pause
            after = f"started again in {pause:.0f} s" if pause else "started again"
        text = f"{self.reason}; it is {after}"
        self.told.append(PartEvent("replica_died", member.name, text, self.reason, len(keys)))
        if member.is_left_out:
            self._tell("replica_left_out", member, f"{member.name} is left out")

    def _drop(self, member: Member) -> tuple[str, ...]:
        if member.link is not None:
            self._by_link.pop(id(member.link), None)
        self._gone(member.number)
        return member.end()

    def _tell(self, name: str, member: Member, text: str) -> None:
        self.told.append(PartEvent(name, member.name, text))

    def _start_due(self) -> None:
        now = clock.seconds()
        for member in self.members:
            if member.link is None and not member.is_left_out and member.due <= now:
                self._start(member)

    def _start(self, member: Member) -> None:
        with self._ending:
            self.require_open()
            try:
                link = self._transport.start(member.number)
            except EngineError as error:
                failed = str(error)
            else:
                member.begin(link)
                self._by_link[id(link)] = member
                return
        self._died(member, failed)

    def _end_hung(self) -> None:
        """End those that have requests in flight and have shown no progress for too long."""
        now, seconds = clock.seconds(), _STALL * self._config.stall_timeout
        for member in self.members:
            if member.is_ready and member.flying and now - member.moved_at > seconds:
                reason = f"it made no progress for {self._config.stall_timeout:g} s and was ended"
                self._died(member, reason, "timeout")

    def _grow(self) -> None:
        """Add replicas where room for more has come, as nodes join a cluster."""
        now = clock.seconds()
        if self._wished.fixed is not None or now - self._looked_at < _GROWTH:
            return
        self._looked_at = now
        capacity = self._transport.capacity() or 0
        alive = sum(not member.is_left_out for member in self.members)
        more = min(capacity - self._capacity, self._wanted(capacity) - alive)
        self._capacity = capacity
        first = len(self.members)
        self.members += [Member(first + each) for each in range(more)]

    def _wanted(self, capacity: int | None) -> int:
        """The number of replicas where there is room for so many; None: not known."""
        most = self._wished.most
        if capacity is None:
            return most or self._wished.least
        return capacity if most is None else min(most, capacity)


def _kill(link: Link) -> None:
    link.kill()


def _close(link: Link) -> None:
    link.close(_CLOSE)
