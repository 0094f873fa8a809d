"""One replica as its fleet sees it: its incarnations, what is in flight there, when it is due."""

from collections.abc import Iterator
from dataclasses import replace

from tenacity import RetryCallState, Retrying, wait_exponential, wait_random

from llmbatch.core import clock
from llmbatch.core.outcomes import Lost, Outcome
from llmbatch.core.records import Request
from llmbatch.engines.base import Telemetry
from llmbatch.engines.info import EngineInfo
from llmbatch.engines.replicas.link import Link
from llmbatch.engines.replicas.wire import Call, Reply, RequestWriter, read_outcome

WINDOW = 64
"""Of an engine that does not say its own."""
# Seconds in which a replica replies at the latest; at once where requests wait to be sent to it.
_WAIT, _HURRIED = 0.1, 0.005
# Seconds for which it gathers outcomes while it has enough to do: a call costs more than they do.
_GATHER = 0.02
_PAUSES = wait_exponential(1.0, 60.0) + wait_random(0, 1.0)


class Member:
    """A replica, in one incarnation after the other. `number`: from 0."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = f"replica {number + 1}"
        self.link: Link | None = None
        self.is_ready = False
        self.is_left_out = False
        self.is_calling = False
        self.starts = 0
        self.due = 0.0
        """clock.seconds() of its next start."""
        self.window = WINDOW
        self.flying = 0
        """Requests in flight, those that are still to be sent to it included."""
        self.telemetry = Telemetry()
        """Of this incarnation."""
        self.past = Telemetry()
        """The counters of its former ones."""
        self.moved_at = 0.0
        self.began = 0.0
        self._in_flight: dict[str, int] = {}
        self._unsent: list[Request] = []
        self._writer = RequestWriter()
        self._calls = 0
        self._answered = False
        self._in_vain = 0

    @property
    def room(self) -> int:
        """Free places of its window."""
        return self.window - self.flying if self.is_ready else 0

    @property
    def has_call_to_make(self) -> bool:
        """True if it has something to be told or asked, and no call is on its way."""
        if self.link is None or self.is_calling:
            return False
        return not self.is_ready or self.flying > 0

    def begin(self, link: Link) -> None:
        """Its next incarnation, which starts."""
        self.link, self.is_ready, self.is_calling = link, False, False
        self.starts += 1
        self.began = clock.seconds()
        self._writer, self._calls, self._answered = RequestWriter(), 0, False

    def ready(self, info: EngineInfo) -> None:
        """It has started, and takes requests."""
        self.is_ready = True
        self.window = info.window or 2 * (info.max_num_seqs or 0) or WINDOW

    def assign(self, request: Request) -> None:
        """Take a request, to be sent with the next call."""
        if self.flying == 0:
            self.moved_at = clock.seconds()
        self.flying += 1
        self._in_flight[request.key] = self._in_flight.get(request.key, 0) + 1
        self._unsent.append(request)

    def call(self, *, hurry: bool = False, abort: bool = False) -> None:
        """Make a call with all that is to be sent. Raises ReplicaDiedError."""
        assert self.link is not None
        written = [self._writer.write(request) for request in self._unsent]
        self._unsent.clear()
        self._calls += 1
        wait = 0.0 if abort else _HURRIED if hurry else _WAIT
        gather = 0.0 if hurry or 2 * self.flying < self.window else _GATHER
        call = Call(self._calls, written, self._writer.take_parts(), wait, abort, gather)
        self.is_calling = True
        self.link.send(call.to_bytes())

    def receive(self) -> Reply:
        """The reply to its call. Raises ReplicaDiedError."""
        assert self.link is not None
        data = self.link.receive()
        self.is_calling = False
        return Reply.from_bytes(data)

    def take(self, reply: Reply) -> Iterator[Outcome | Lost]:
        """The outcomes of a reply, of what is in flight here, and its figures."""
        now = clock.seconds()
        seen = reply.telemetry
        if seen.held_back_until is not None:
            self.moved_at = now + seen.held_back_until
        elif reply.outcomes or seen != self.telemetry:
            self.moved_at = now
        # First the figures: they are never behind the outcomes.
        self.telemetry = _by_our_clock(seen, now)
        for written in reply.outcomes:
            outcome = read_outcome(written)
            if isinstance(outcome, Lost):
                keys = tuple(key for key in outcome.keys if self._settle(key))
                if keys:
                    yield Lost(keys, f"{self.name}: {outcome.reason}", outcome.kind)
            elif self._settle(outcome.key):
                self._answered = True
                yield outcome

    def _settle(self, key: str) -> bool:
        """Take a request out of flight; False if it is not."""
        left = self._in_flight.get(key, 0)
        if not left:
            return False
        if left == 1:
            del self._in_flight[key]
        else:
            self._in_flight[key] = left - 1
        self.flying -= 1
        return True

    def forget(self) -> tuple[str, ...]:
        """The keys of all that is in flight, which is not any more."""
        keys = tuple(key for key, times in self._in_flight.items() for _ in range(times))
        self._in_flight.clear()
        self._unsent.clear()
        self.flying = 0
        return keys

    def end(self) -> tuple[str, ...]:
        """Note that this incarnation is gone; the keys of what was in flight there."""
        self.link, self.is_ready, self.is_calling = None, False, False
        self.past = self.telemetry.after(self.past)
        self.telemetry = Telemetry()
        self._in_vain = 0 if self._answered else self._in_vain + 1
        return self.forget()

    def is_hopeless(self, restarts: int) -> bool:
        """True if it was started again so often in a row without an answer, or may not be."""
        return restarts == 0 or self._in_vain > restarts

    def pause(self) -> float:
        """Seconds before its next start: none after one that has answered, then ever more."""
        if self._in_vain == 0:
            return 0.0
        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = self._in_vain
        return _PAUSES(state)


def _by_our_clock(seen: Telemetry, now: float) -> Telemetry:
    """Figures of a replica, which counts the time for which it is held back from now on."""
    held = seen.held_back_until
    return seen if held is None else replace(seen, held_back_until=now + held)
