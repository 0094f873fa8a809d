"""The flow of requests to one server: how many at once, how many a second, and when none.

It grows while throughput grows. A server that says it gets too many is asked less often: at once
half as many, and in a second as many as it has shown to take (`pace`). All times are seconds of
`core.clock`.
"""

from llmbatch.engines.http.pace import Pace

FIRST = 16
"""Requests that a server gets at once at the beginning."""
LONGEST_WAIT = 3600.0
_MORE = 1.03
_FLAT_ROUNDS = 2
_AGAIN_AFTER = 8
_LATE_SHARE = 0.2
_LATELY = 32
"""Ends of requests over which the share of late ones is taken."""


class Flow:
    """The number of requests that one server may get. It grows in rounds, of as many answers as may
    be in flight: as long as a round brings more answers a second than the one before."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.limit = float(min(FIRST, most))
        self.in_flight = 0
        self.pace = Pace()
        self._paused_until = 0.0
        self._cut_at = -1.0
        self._round_began: float | None = None
        self._round_answers = 0
        self._lately_late = 0.0
        self._was_full = False
        self._best = 0.0
        self._flat = 0

    def room(self, now: float) -> int:
        """The number of requests that the server may get now."""
        if now < self._paused_until:
            return 0
        free = int(self.limit) - self.in_flight
        if free <= 0:
            self._was_full = True
            return 0
        return min(free, self.pace.room(now))

    def opens_at(self, now: float) -> float | None:
        """The time from which there may be room although nothing is answered; None: never."""
        if now < self._paused_until:
            return self._paused_until
        if self.in_flight >= int(self.limit):
            return None
        return self.pace.opens_at(now)

    def sent(self, now: float) -> None:
        self.in_flight += 1
        self.pace.sent(now)
        if self._round_began is None:
            self._round_began = now

    def ended(self) -> None:
        """A request is no longer in flight, whatever came of it."""
        self.in_flight -= 1

    def answered(self, now: float) -> None:
        self._round_answers += 1
        self._lately_late -= self._lately_late / _LATELY
        self.pace.answered(now, is_full=self._was_full)
        if self.pace.is_known and self._was_full:
            # It is the pace that is to hold back requests.
            self.limit = min(float(self._most), self.limit + 1)
            self._was_full = False
        if self._round_answers >= self.limit:
            self._end_round(now)

    def refused(self, now: float, began: float, wait: float | None) -> None:
        """A request that was sent at `began` came too early; the server wants so many seconds
        without any."""
        if wait:
            until = now + min(wait, LONGEST_WAIT)
            self._paused_until = max(self._paused_until, until)
        is_news = began >= self._cut_at
        was_known = self.pace.is_known
        is_sign = self.pace.refused(now, began, is_news=is_news, waits=bool(wait))
        if is_sign and is_news and not was_known:
            # From here on the pace holds back. As many as it holds now it has taken.
            self._cut(now, at_least=self.in_flight)

    def late(self, now: float, began: float) -> None:
        """There was no answer in time. Some hung connections are no sign of a load."""
        self._lately_late += (1 - self._lately_late) / _LATELY
        if began >= self._cut_at and self._lately_late > _LATE_SHARE:
            self._cut(now)

    def told(self, now: float, left: int, reset: float) -> None:
        """The server told how many more requests it takes now, and the seconds until it takes as
        many as it ever does."""
        if left <= 0 and reset > 0:
            self._paused_until = max(self._paused_until, now + min(reset, LONGEST_WAIT))

    def _cut(self, now: float, at_least: int = 1) -> None:
        self._cut_at = now
        self.limit = max(1.0, self.limit / 2, min(self.limit, at_least))
        self._begin_round(now)
        self._best, self._flat = 0.0, 0

    def _begin_round(self, now: float) -> None:
        self._round_began, self._round_answers = now, 0
        self._was_full = False

    def _end_round(self, now: float) -> None:
        assert self._round_began is not None
        speed = self._round_answers / max(now - self._round_began, 1e-6)
        if self._was_full:
            self._judge(speed)
        self._begin_round(now)

    def _judge(self, speed: float) -> None:
        """Let more be in flight if that made the server faster, or may do so after a while."""
        if speed > self._best * _MORE:
            self._best, self._flat = speed, 0
            self._grow(2.0 if self.limit < 64 else 1.5)
        else:
            self._flat += 1
            if self._flat < _FLAT_ROUNDS:
                self._grow(1.25)
            elif self._flat % _AGAIN_AFTER == 0:
                self._best = speed
                self._grow(1.25)

    def _grow(self, factor: float) -> None:
        self.limit = min(float(self._most), max(self.limit + 1, self.limit * factor))
