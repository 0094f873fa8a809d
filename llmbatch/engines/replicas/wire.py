"""The messages between a run and a replica: one numbered call, one reply.

Requests and outcomes travel as plain tuples, and what many requests share (sampling, constraint,
ask) once for each replica, by number: pickled as they are, they would cost several times as much
as the transport (measured: 12 against 2 microseconds a row). The replica keeps one object of each,
as engines cache by identity.
"""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from llmbatch.core.outcomes import Completed, Failed, Lost, Outcome, Usage
from llmbatch.core.records import Message, Request
from llmbatch.engines.base import Telemetry

State = Literal["starting", "ready", "failed"]
"""Of a replica. "failed": it did not start, or its engine is gone; nothing follows."""


@dataclass(frozen=True, slots=True)
class Call:
    """Requests for a replica. `number`: counts its calls from 1; the same number again asks for the
    same reply. `parts`: objects that are new to it, by number. `wait`: seconds in which it answers
    at the latest; `gather`: seconds that it waits for further outcomes once it has one. `abort`: it
    gives up all that is in flight, and then takes the requests."""

    number: int
    requests: Sequence[tuple[Any, ...]] = ()
    parts: dict[int, Any] = field(default_factory=dict)
    wait: float = 0.1
    abort: bool = False
    gather: float = 0.0

    def to_bytes(self) -> bytes:
        body = (self.number, self.requests, self.parts, self.wait, self.abort, self.gather)
        return pickle.dumps(body, pickle.HIGHEST_PROTOCOL)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Call":
        return cls(*pickle.loads(data))


@dataclass(frozen=True, slots=True)
class Reply:
    """The state of a replica, and the outcomes that came since its last reply. `info`: the JSON of
    its EngineInfo, in its first reply when it is ready; `error`: a line, once it has failed;
    `remaining`: outcomes that had no room in it. `is_final`: another start would fail alike.
    `telemetry.held_back_until` is in seconds from now: clocks of machines differ."""

    number: int
    state: State
    outcomes: Sequence[tuple[Any, ...]] = ()
    telemetry: Telemetry = field(default_factory=Telemetry)
    info: dict[str, Any] | None = None
    error: str | None = None
    remaining: int = 0
    is_final: bool = False

    def to_bytes(self) -> bytes:
        body = (
            self.number, self.state, self.outcomes, self.telemetry, self.info, self.error,
            self.remaining, self.is_final,
        )  # fmt: skip
        return pickle.dumps(body, pickle.HIGHEST_PROTOCOL)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Reply":
        return cls(*pickle.loads(data))


class RequestWriter:
    """Makes tuples of requests for one replica, which knows what it was sent before."""

    def __init__(self) -> None:
        # The objects are kept, so that no other one can get the identity of one that is gone.
        self._known: dict[int, tuple[int, Any]] = {}
        self._new: dict[int, Any] = {}

    def write(self, request: Request) -> tuple[Any, ...]:
        """The tuple of a request."""
        return (
            request.key,
            tuple((message.role, message.content) for message in request.messages),
            self._number(request.sampling),
            self._number(request.constraint),
            request.body,
            self._number(request.ask),
            request.adapter,
        )

    def take_parts(self) -> dict[int, Any]:
        """The objects that tuples have named since the last time, by number."""
        new, self._new = self._new, {}
        return new

    def _number(self, part: Any) -> int:
        if part is None:
            return 0
        known = self._known.get(id(part))
        if known is None:
            known = (len(self._known) + 1, part)
            self._known[id(part)] = known
            self._new[known[0]] = part
        return known[0]


class RequestReader:
    """Makes requests of tuples, at the replica."""

    def __init__(self) -> None:
        self._parts: dict[int, Any] = {0: None}

    def learn(self, parts: dict[int, Any]) -> None:
        self._parts.update(parts)

    def read(self, written: tuple[Any, ...]) -> Request:
        key, messages, sampling, constraint, body, ask, adapter = written
        chat = tuple(Message(role, content) for role, content in messages)
        parts = self._parts
        return Request(key, chat, parts[sampling], parts[constraint], body, parts[ask], adapter)


def write_outcome(outcome: Outcome | Lost) -> tuple[Any, ...]:
    """The tuple of an outcome; its first entry names the kind."""
    if isinstance(outcome, Lost):
        return ("lost", outcome.keys, outcome.reason, outcome.kind)
    used = outcome.usage
    usage = (used.prompt, used.cached, used.output, used.reasoning)
    if isinstance(outcome, Completed):
        one = outcome
        return ("done", one.key, one.text, one.finish_reason, usage, one.reasoning, one.logprobs)
    bad = outcome
    end = (bad.text, bad.finish_reason, bad.is_final)
    return ("failed", bad.key, bad.kind, bad.message, usage, *end)


def read_outcome(written: tuple[Any, ...]) -> Outcome | Lost:
    """The outcome of a tuple."""
    kind, *values = written
    if kind == "lost":
        return Lost(*values)
    values[3] = Usage(*values[3])
    return Completed(*values) if kind == "done" else Failed(*values)
