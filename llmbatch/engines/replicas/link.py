"""The way to a replica: what the fleet asks of a kind of transport.

`process` has that of child processes, `engines/ray` that of actors.
"""

from collections.abc import Sequence
from typing import Protocol

from llmbatch.core.errors import EngineError


class ReplicaDiedError(EngineError):
    """The replica is gone, with all that it had in flight and had not replied."""


class Link(Protocol):
    """One replica, in one incarnation: from its start to its end. At most one call is on its way.
    Used by one thread, but for `kill`."""

    name: str
    """For people: the number of the replica, where it runs, its process."""

    def send(self, call: bytes) -> None:
        """Begin a call (see `wire.Call`). Raises ReplicaDiedError."""
        ...

    def receive(self) -> bytes:
        """The reply to the call (see `wire.Reply`), once `Transport.wait` has named this link.
        Raises ReplicaDiedError."""
        ...

    def close(self, seconds: float) -> None:
        """End the replica in order; after so many seconds, kill it. Returns when it is gone."""
        ...

    def kill(self) -> None:
        """End the replica and all its processes at once. May be called from any thread, again, and
        when it is gone."""
        ...


class Transport(Protocol):
    """Makes replicas of one kind. Used by one thread, but for `close`."""

    def start(self, number: int) -> Link:
        """A new incarnation of replica `number` (from 0), which begins to start. Does not wait for
        that. Raises EngineError where none can be made."""
        ...

    def wait(self, links: Sequence[Link], seconds: float) -> list[Link]:
        """Those of the links, with a call on its way, that have a reply or are gone; none after so
        many seconds."""
        ...

    def capacity(self) -> int | None:
        """The number of replicas that there is room for now; None if that is not known."""
        ...

    def close(self) -> None:
        """Let go of all that replicas share; they have ended before. Idempotent."""
        ...
