"""What asks a run to stop: signals, a deadline, a budget, too many failures."""

import os
import signal
import threading
import time
from types import FrameType
from typing import Any, Self

from llmbatch.core import clock

# Ctrl-C; `kill`, and what systemd and cron send; a terminal or connection that was closed.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL = 0.1
# How long a second signal may be unheard, and how long an end at once may take.
_UNHEARD = 5.0
_OVERDUE = 60.0
NEVER = float("inf")


class StopRequest:
    """Signals and other reasons to stop: the first to drain, a second signal to leave at once.

    Python handles signals between two steps of the main thread only. So a thread watches what
    comes of a second one, and ends the process if the main thread is stuck: whatever was
    committed stays.

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
        self._heard = False
        self._over = threading.Event()

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # `nohup` wants the work to go on
            self._former[number] = signal.signal(number, self._handle)
        told, self._tell = os.pipe()
        os.set_blocking(self._tell, False)
        # Each signal is told there as it arrives, whatever the main thread does.
        self._former_tell = signal.set_wakeup_fd(self._tell, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(told,), name="signals", daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        signal.set_wakeup_fd(self._former_tell)
        os.close(self._tell)
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _watch(self, told: int) -> None:
        """End the process when a second signal is not heard, or not obeyed in time."""
        first = _next_signal(told)
        second = first and _next_signal(told)
        os.close(told)
        if not second or self._over.wait(_UNHEARD):
            return
        if self._heard and self._over.wait(_OVERDUE):
            return
        os._exit(128 + (self.signal or first))

    def request(self, reason: str, leave_at: float = NEVER) -> None:
        """Stop: take nothing new, and give up at `leave_at` (clock.seconds) what is not done."""
        if not self.drain:
            self.reason = reason
            self.drain = True
        self._leave_at = min(self._leave_at, leave_at)

    @property
    def leave(self) -> bool:
        """Whether to wait no longer for what is in flight."""
        self._heard = self.at_once
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
            self._heard = True
            raise KeyboardInterrupt


def _next_signal(told: int) -> int:
    """The number of the next signal that asks for an end; 0 when there will be none."""
    while data := os.read(told, 1):
        if data[0] in _SIGNALS:
            return data[0]
    return 0
