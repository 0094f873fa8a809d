"""A clock that moves only when a scripted engine says that it has worked.

How long a busy machine makes a sleep says nothing about settings, so tests that compare speeds
read this clock: `tests.scripted_engine:create` with the option `clock=scripted` moves it by its
delays instead of sleeping. It belongs to one process and never goes back.
"""

import threading

_delays: list[float] = []
_lock = threading.Lock()


def seconds() -> float:
    """Seconds that scripted engines of this process have worked; for durations."""
    with _lock:
        return sum(_delays)


def advance(by: float) -> None:
    """Let so many seconds pass."""
    with _lock:
        _delays.append(by)
