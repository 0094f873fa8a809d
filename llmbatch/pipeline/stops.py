"""What asks a run to stop: signals, a deadline, a budget, too many failures."""

import signal
import time
from types import FrameType
from typing import Any, Self

from llmbatch.core import clock

# Ctrl-C; `kill`, and what systemd and cron send; a terminal or connection that was closed.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL = 0.1
NEVER = float("inf")


class Stops:
    """Signals and other reasons to stop: the first to drain, a second signal to leave at once.

    Plain attributes, because a signal handler can interrupt itself: an Event's lock would then
    never be free again.
    """

    def __init__(self, grace: float = NEVER) -> None:
        self.drain = False
        self.reason: str | None = None
        self.signal: int | None = None
        self.at_once = False
        # How many signals are borne before one is an exception: none while a run only reads
        # and plans, any number while somebody looks at `at_once`.
        self.patience = 1.0
        self._grace = grace
        self._leave_at = NEVER
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # `nohup` wants the work to go on
            self._former[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def request(self, reason: str, leave_at: float = NEVER) -> None:
        """Stop: take nothing new, and give up at `leave_at` (clock.seconds) what is not done."""
        if not self.drain:
            self.reason = reason
            self.drain = True
        self._leave_at = min(self._leave_at, leave_at)

    @property
    def leave(self) -> bool:
        """Whether to wait no longer for what is in flight."""
        return self.at_once or (self.drain and clock.seconds() >= self._leave_at)

    def sleep(self, seconds: float) -> None:
        """Wait, but not once a stop was asked for."""
        until = clock.seconds() + seconds
        while not self.drain and (left := until - clock.seconds()) > 0:
            time.sleep(min(_POLL, left))

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again = self.signal is not None
        self.at_once = again
        self.signal = self.signal or number
        self.request("stopped by a signal", clock.seconds() + self._grace)
        self.patience -= 1
        if self.patience < 0:
            raise KeyboardInterrupt
