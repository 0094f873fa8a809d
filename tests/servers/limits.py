"""The rate limit of a server: a bucket that fills evenly."""

import time


class Bucket:
    """Lets `rate` requests a second pass, and at once `burst` of them."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = max(1, burst)
        self._tokens = float(self._burst)
        self._seen = time.monotonic()

    def take(self) -> float:
        """0.0 for a request that may pass; else the seconds until one may."""
        if not self._rate:
            return 0.0
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._seen) * self._rate)
        self._seen = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate

    @property
    def left(self) -> int:
        return int(self._tokens)
