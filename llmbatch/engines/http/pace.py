"""Requests a second that a server takes: not known until it refuses some, then followed.

At first the pace doubles until something is refused. From then on a refusal slows it down a little,
more if it comes soon; it comes back to where that was, stays there for a while, and then goes on
ever faster, as CUBIC does for TCP (S. Ha, I. Rhee, L. Xu, 2008).
"""

from collections import deque
from itertools import takewhile

_FIRST_SPAN, _SPAN = 0.5, 2.0
"""Seconds over which the requests that passed are counted."""
_LONG_SPAN, _LATELY = 4.0, 60.0
_FEW, _HARMLESS, _MOST = 8, 0.15, 0.5
_FLOOR = 0.8
_SOON = 3.0
_LITTLE, _MUCH, _HALF_WAY = 0.95, 0.85, 0.7
_BACK = 10.0
_STAY = 20.0
_FURTHER = 0.01
_AT_ONCE = 0.05
"""Seconds of the pace that may be sent at once."""


class Pace:
    """A bucket that fills with the rate, and the search for that."""

    def __init__(self) -> None:
        self.rate: float | None = None
        self._doubles = True
        self._peak = 0.0
        self._low = 0.0
        self._since = 0.0
        self._grown_at = 0.0
        self._tokens = 0.0
        self._filled_at = 0.0
        self._sent: deque[float] = deque(maxlen=4096)
        self._refused: deque[float] = deque(maxlen=512)
        self._bests: deque[tuple[float, float]] = deque()

    @property
    def is_known(self) -> bool:
        """True once the server has refused something."""
        return self.rate is not None

    def room(self, now: float) -> int:
        if self.rate is None:
            return 1 << 30
        self._fill(now, self.rate)
        return int(self._tokens)

    def opens_at(self, now: float) -> float | None:
        """The time at which the next request may be sent; None: now."""
        if self.rate is None or self.room(now):
            return None
        return now + (1 - self._tokens) / self.rate

    def _fill(self, now: float, rate: float) -> None:
        most = max(1.0, rate * _AT_ONCE)
        self._tokens = min(most, self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now

    def sent(self, now: float) -> None:
        self._sent.append(now)
        if self.rate is not None:
            self._fill(now, self.rate)
            self._tokens -= 1

    def refused(self, now: float, began: float, *, is_news: bool, waits: bool) -> bool:
        """A request that was sent at `began` was refused; true if that is a sign of a limit.
        `is_news`: it was sent at this rate; `waits`: nothing may be sent for a while, so each
        refusal costs time."""
        self._refused.append(began)
        sent, refused = self._lately(now, _LONG_SPAN)
        share = refused / max(1, sent)
        if not waits and sent >= _FEW and share < _HARMLESS:
            return False  # some refuse a few at any rate
        if self.rate is None:
            self._restart(now, max(1.0, self._passing(now, _FIRST_SPAN)))
        elif is_news:
            self._lower(now, self.rate, share)
        return True

    def _lower(self, now: float, rate: float, share: float) -> None:
        if share > _MOST:
            # A limit that is far lower than before shows in what passes.
            slower = min(rate * _MUCH, self._passing(now, _SPAN))
        else:
            slower = rate * (_MUCH if now - self._since < _SOON else _LITTLE)
            if self._doubles:
                slower = rate * _HALF_WAY
            # What has passed before shows that it is not the rate that is refused.
            slower = min(rate, max(slower, _FLOOR * self._best(now)))
        self._doubles = False
        self._peak = rate
        self._restart(now, max(0.02, slower))

    def _restart(self, now: float, rate: float) -> None:
        self.rate = self._low = rate
        self._since = self._grown_at = self._filled_at = now
        self._tokens = 0.0

    def answered(self, now: float, *, is_full: bool) -> None:
        """Something was answered. `is_full`: it is not the pace that held back requests."""
        if self.rate is None:
            return
        self._note(now)
        if not is_full:
            self._grow(now, self.rate)

    def _grow(self, now: float, rate: float) -> None:
        passed = min(1.0, now - self._grown_at)
        if self._doubles:
            if passed >= min(1.0, max(0.5, 4 / rate)):
                self.rate, self._grown_at = rate * 2, now
            return
        self._grown_at = now
        if rate < self._peak:
            self.rate = min(self._peak, rate + (self._peak - self._low) * passed / _BACK)
        elif (further := now - self._since - _STAY) > 0:
            self.rate = rate * (1 + _FURTHER * 2 ** min(6.0, further / _BACK) * passed)

    def _best(self, now: float) -> float:
        """The most requests a second that passed within the last minute, over some seconds."""
        best = self._bests
        while best and best[0][0] < now - _LATELY:
            best.popleft()
        return max((passing for _, passing in best), default=0.0)

    def _note(self, now: float) -> None:
        if not self._bests or now - self._bests[-1][0] >= 1.0:
            self._bests.append((now, self._passing(now, _LONG_SPAN)))

    def _passing(self, now: float, span: float) -> float:
        """Requests a second that were sent lately and not refused."""
        sent, refused = self._lately(now, span)
        return max(0, sent - refused) / span

    def _lately(self, now: float, span: float) -> tuple[int, int]:
        """Requests that were sent within so many seconds, and those of them that were refused."""
        begin = now - span
        sent = sum(1 for _ in takewhile(lambda at: at >= begin, reversed(self._sent)))
        refused = sum(1 for at in self._refused if at >= begin)
        return sent, refused
