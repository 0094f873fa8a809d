"""A request to stop a run: by a signal, a deadline, a budget, too many failures."""

import os
import signal
import threading
import time
from types import FrameType
from typing import Any, Optional, Self

from llmbatch.core import clock

# Ctrl-C; `kill`, and what systemd and cron send; a terminal or connection that was closed.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL = 0.1
# Seconds for which a second signal may go unnoticed, and which an end at once may take.
_UNNOTICED = 5.0
_OVERDUE = 60.0
NEVER = float("inf")


class StopRequest:
    """The first signal or other reason asks to drain, a second signal to leave at once.

    Python handles signals between two steps of the main thread only. So a thread watches the
    handling of a second one, and ends the process if the main thread is stuck: all that was
    committed stays.

    Plain attributes, because a signal handler can interrupt itself: an Event's lock would then
    never be free again.
    """

    def __init__(self, grace: float = NEVER, within: Optional["StopRequest"] = None) -> None:
        """`grace`: seconds from the first signal to the end of what is in flight; `within`: the
        request to stop of a series of runs, which learns of a signal to this one."""
        self.drain = False
        self.reason: str | None = None
        self.signal: int | None = None
        self.at_once = False
        # The number of signals that raise no exception: none while a run only reads and plans,
        # any number while `at_once` is watched.
        self.patience = 1.0
        self._grace = grace
        self._within = within
        self._leave_at = NEVER
        self._former: dict[int, Any] = {}
        self._noticed = False
        self._listens = False
        self._over = threading.Event()

    def __enter__(self) -> Self:
        # Python gives signals to its main thread alone. A run in another one has none of its own.
        if threading.current_thread() is threading.main_thread():
            self._listen()
        return self

    def _listen(self) -> None:
        for number in _SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # `nohup` wants the work to go on
            self._former[number] = signal.signal(number, self._handle)
        arrivals, self._wakeup = os.pipe()
        os.set_blocking(self._wakeup, False)
        # The number of each signal comes out of the pipe, even while the main thread is stuck.
        self._former_wakeup = signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(arrivals,), name="signals", daemon=True).start()
        self._listens = True

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        if not self._listens:
            return
        signal.set_wakeup_fd(self._former_wakeup)
        os.close(self._wakeup)
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _watch(self, arrivals: int) -> None:
        """End the process when a second signal is not noticed, or not obeyed in time."""
        first = _next_signal(arrivals)
        second = first and _next_signal(arrivals)
        os.close(arrivals)
        if not second or self._over.wait(_UNNOTICED):
            return
        if self._noticed and self._over.wait(_OVERDUE):
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
        """True if what is in flight is to be given up."""
        self._noticed = self.at_once
        return self.at_once or (self.drain and clock.seconds() >= self._leave_at)

    def sleep(self, seconds: float) -> None:
        """Wait, but not longer than until a stop is asked for."""
        until = clock.seconds() + seconds
        while not self.drain and (remaining := until - clock.seconds()) > 0:
            time.sleep(min(_POLL, remaining))

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again = self.signal is not None
        self.at_once = again
        self.signal = self.signal or number
        if self._within is not None:
            self._within.signal = self.signal
        self.request("stopped by a signal", clock.seconds() + self._grace)
        self.patience -= 1
        if self.patience < 0:
            self._noticed = True
            raise KeyboardInterrupt


def _next_signal(arrivals: int) -> int:
    """The number of the next signal that asks for an end; 0 when there will be none."""
    while data := os.read(arrivals, 1):
        if data[0] in _SIGNALS:
            return data[0]
    return 0
