"""A request on its way, and the reader of its answers."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Lost, Outcome
from llmbatch.core.records import Request
from llmbatch.engines.http.bodies import Call
from llmbatch.engines.http.client import Exchange
from llmbatch.engines.http.failures import Problem

Event = Outcome | Lost | EngineError


class Reads(Protocol):
    """Reads the answers to the requests of a job. Another call in the place of an outcome is sent
    next for the same request."""

    def outcome(self, request: Request, body: bytes, call: Call) -> Outcome | Call:
        """Raises UnreadableError."""
        ...


@runtime_checkable
class ReadsRefusals(Protocol):
    """A reader that knows a way out where a server refuses a request. Optional."""

    def refused(self, request: Request, call: Call, problem: Problem) -> Outcome | Call | None:
        """None: the request has failed."""
        ...


@dataclass(slots=True, eq=False)
class Job:
    """A request on its way. `tries`: failed ones, of which `late` came too late; `ends`: servers
    that ended with it in flight; `exchange`: while it is at a server."""

    request: Request
    call: Call
    tries: int = 0
    late: int = 0
    ends: int = 0
    exchange: Exchange | None = None
