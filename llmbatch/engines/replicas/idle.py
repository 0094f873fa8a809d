"""The time in which replicas had nothing to do and waited for the feed."""

from collections.abc import Sequence

from llmbatch.core import clock
from llmbatch.engines.replicas.member import Member


class Idle:
    """Counts it as the mean over the replicas that are ready, by the fleet's own clock: a replica
    cannot tell a wait for the feed from one between two runs."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._at = clock.seconds()

    def skip(self) -> None:
        """Leave out the time since it was last counted."""
        self._at = clock.seconds()

    def pass_time(self, ready: Sequence[Member]) -> None:
        """Count the time that has passed, in which replicas had in flight what they have now."""
        now = clock.seconds()
        empty = sum(1 for member in ready if not member.flying)
        if empty:
            self.seconds += (now - self._at) * empty / len(ready)
        self._at = now
