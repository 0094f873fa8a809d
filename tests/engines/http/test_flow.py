"""The flow to one server, by a simulated one on a clock of its own."""

import heapq
import itertools
import random

import pytest

from llmbatch.engines.http import limits_told
from llmbatch.engines.http.concurrency import Flow


class Simulation:
    """A server that answers after `latency` seconds, up to `rate` a second with `burst` at once."""

    def __init__(self, rate: float, burst: int, latency: float, wait: float | None) -> None:
        self.flow = Flow(512)
        self._rate, self._burst, self._latency, self._wait = rate, burst, latency, wait
        self._random = random.Random(1)
        self._events: list[tuple[float, int, str, float]] = []
        self._numbers = itertools.count()
        self._tokens, self._filled = float(burst), 0.0
        self.passed = 0

    def _at(self, when: float, what: str, began: float = 0.0) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), what, began))

    def run(self, rows: int) -> float:
        """Answer so many rows; the seconds that it took."""
        waiting, answered, now = rows, 0, 0.0
        self._at(0.0, "look")
        while answered < rows:
            now, _, what, began = heapq.heappop(self._events)
            if what == "arrive":
                self._arrive(now, began)
                continue
            if what != "look":
                self.flow.ended()
            if what == "answer":
                answered += 1
                self.flow.answered(now)
            elif what == "refuse":
                waiting += 1
                self.flow.refused(now, began, self._wait)
            while waiting and self.flow.room(now) > 0:
                self.flow.sent(now)
                waiting -= 1
                self._at(now + 0.001 + self._random.expovariate(500), "arrive", now)
            again = self.flow.opens_at(now)
            if waiting and again is not None:
                self._at(max(again, now + 0.001), "look")
        return now

    def _arrive(self, now: float, began: float) -> None:
        filled = self._tokens + (now - self._filled) * self._rate
        self._tokens, self._filled = min(self._burst, filled), now
        if self._tokens >= 1:
            self._tokens -= 1
            self.passed += 1
            self._at(now + self._latency, "answer", began)
        else:
            self._at(now + 0.001, "refuse", began)


@pytest.mark.parametrize("wait", [None, 1.0])
def test_a_limit_of_requests_is_used_to_nine_tenths(wait: float | None) -> None:
    server = Simulation(rate=20, burst=20, latency=0.2, wait=wait)
    seconds = server.run(800)
    assert server.passed / (20 * seconds) >= 0.9


def test_without_a_limit_it_grows_while_that_brings_more() -> None:
    server = Simulation(rate=1e9, burst=10**9, latency=0.5, wait=None)
    server.run(20_000)
    assert server.flow.limit == 512


def test_it_halves_when_a_share_of_the_answers_comes_too_late() -> None:
    flow = Flow(512)
    before = flow.limit
    for number in range(20):
        flow.late(100.0 + number, began=99.0)
    assert flow.limit <= before / 2


def test_a_wait_stops_all_that_is_sent_until_it_is_over() -> None:
    flow = Flow(512)
    flow.sent(10.0)
    flow.ended()
    flow.refused(10.0, began=10.0, wait=3.0)
    assert flow.room(12.9) == 0
    assert flow.opens_at(12.9) == 13.0
    assert flow.room(14.5) > 0


def test_headers_of_a_limit_stop_it_before_it_is_refused() -> None:
    flow = Flow(512)
    told = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30s"}
    limits_told.note(flow, told, now=5.0)
    assert flow.opens_at(6.0) == 95.0
    limits_told.note(flow, {"x-ratelimit-remaining-tokens": "77"}, now=5.0)
    assert flow.opens_at(6.0) == 95.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1.0), ("6m0s", 360.0), ("20ms", 0.02), ("1h", 3600.0), ("7", 7.0), ("soon", None)],
)
def test_durations_are_read_as_servers_write_them(text: str, seconds: float | None) -> None:
    assert limits_told.seconds(text) == seconds
