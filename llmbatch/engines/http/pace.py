"""Requests a second that a server takes: not known until it refuses some, then searched for.

The search keeps the highest rate that went well and the lowest that was refused, and halves what
lies between; once they are close it stays below, and now and then looks whether more goes well.
"""

from collections import deque

_SPAN = 2.0
"""Seconds over which the requests that passed are counted."""
_CLOSE = 1.04
_HOLD = 20.0
_STEADY = 1.0
_BUCKET = 0.05
"""Seconds of the rate that may be sent at once."""


class Pace:
    """A bucket that fills with the rate, and the search for that."""

    def __init__(self) -> None:
        self.rate: float | None = None
        self._good = 0.0
        self._bad: float | None = None
        self._since = 0.0
        self._tokens = 1.0
        self._filled_at = 0.0
        self._passed: deque[float] = deque(maxlen=4096)
        self._refused: deque[float] = deque(maxlen=4096)

    @property
    def is_known(self) -> bool:
        """True once the server has refused something."""
        return self.rate is not None

    def room(self, now: float) -> int:
        if self.rate is None:
            return 1 << 30
        self._fill(now)
        return int(self._tokens)

    def opens_at(self, now: float) -> float | None:
        """The time at which the next request may be sent; None: now."""
        if self.rate is None or self.room(now):
            return None
        return now + (1 - self._tokens) / self.rate

    def _fill(self, now: float) -> None:
        assert self.rate is not None
        most = max(1.0, self.rate * _BUCKET)
        self._tokens = min(most, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now

    def sent(self, now: float) -> None:
        self._passed.append(now)
        if self.rate is not None:
            self._fill(now)
            self._tokens -= 1

    def refused(self, now: float, began: float, *, is_news: bool) -> None:
        """A request that was sent at `began` was refused. `is_news`: it was sent at this rate."""
        self._refused.append(began)
        if self.rate is None:
            self._begin(now)
        elif is_news:
            self._lower(now)

    def _begin(self, now: float) -> None:
        self.rate = max(1.0, self._measured(now))
        self._good, self._bad = 0.0, None
        self._restart(now)

    def _lower(self, now: float) -> None:
        """Search below the rate that was refused."""
        assert self.rate is not None
        measured = self._measured(now)
        self._bad = self.rate
        if self._good >= self.rate / _CLOSE:
            # What went well does so no more: others share the limit, or it is lower now.
            self._good = min(measured, self.rate) * 0.9
        self.rate = max(0.05, self._between())
        self._restart(now)

    def _between(self) -> float:
        assert self._bad is not None
        if self._bad <= self._good * _CLOSE:
            return self._good
        return (self._good + self._bad) / 2

    def answered(self, now: float, *, is_full: bool) -> None:
        """Something was answered. `is_full`: it is not the pace that held back requests."""
        if self.rate is None or is_full:
            return
        well = now - self._since
        if self._bad is not None and self._bad <= self._good * _CLOSE:
            if well > _HOLD:
                self._bad = None
                self._faster(now, self.rate * 1.02)
        elif well > max(_STEADY, 5 / self.rate):
            self._good = max(self._good, self.rate)
            self._faster(now, self._between() if self._bad else self.rate * self._step())

    def _step(self) -> float:
        """The factor by which it is tried faster, while nothing is known to be too fast."""
        return 2.0 if self._good == 0.0 or self._since == 0.0 else 1.5

    def _faster(self, now: float, rate: float) -> None:
        self.rate = rate
        self._since = now

    def _restart(self, now: float) -> None:
        self._since = now
        self._tokens = 0.0
        self._filled_at = now

    def _measured(self, now: float) -> float:
        """Requests a second that were sent lately and not refused."""
        begin = now - _SPAN
        passed = sum(1 for at in self._passed if at >= begin)
        refused = sum(1 for at in self._refused if at >= begin)
        first = next((at for at in self._passed if at >= begin), begin)
        return max(0, passed - refused) / max(now - first, _STEADY)
