"""Reasons to stop before the work is done."""

import signal
from types import FrameType
from typing import Any, Self


class Stops:
    """Signals that ask a run to stop: the first to drain, a second one to leave at once.

    Plain attributes, because a signal handler can interrupt itself: an Event's lock would then
    never be free again.
    """

    def __init__(self) -> None:
        self.drain = False
        self.signal: int | None = None
        self.at_once = False
        # Set by whoever looks at `at_once` itself; elsewhere a second signal is an exception.
        self.watched = False
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._former[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again = self.drain
        self.at_once = again
        self.signal = self.signal or number
        self.drain = True
        if again and not self.watched:
            raise KeyboardInterrupt(128 + self.signal)
