"""Requests that kill the engine are found and no other is written off, whatever engine it is."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, log2

from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmbatch.pipeline.run.isolation import LONE_DEATHS, MOST_LONE_DEATHS, Isolation

Choose = Callable[[int], int]
ORDERS: dict[str, Choose] = {"first": lambda count: 0, "last": lambda count: count - 1}


@dataclass
class Job:
    """So many requests in an engine that dies of some of them, as the supervisor would do it."""

    pending: list[int]
    poison: frozenset[int]
    window: int
    choose: Choose
    isolation: Isolation = field(default_factory=Isolation)
    answered: set[int] = field(default_factory=set)
    written_off: list[int] = field(default_factory=list)
    deaths: int = 0

    def work(self) -> bool:
        """Until nothing is pending; False if it came out that the engine is to blame."""
        while (in_flight := self._life()) is not None:
            self.deaths += 1
            assert self.deaths < 3 * len(self.poison) + 20 * (1 + len(self.poison)), "endless"
            self.isolation.died(in_flight)
            if self.isolation.hopeless:
                return False
        return True

    def _life(self) -> list[int] | None:
        """One engine; what was in flight when it died, or None once all is done."""
        while chosen := self._next():
            in_flight: list[int] = []
            feed = iter(list(chosen))
            while self._fill(in_flight, feed):
                one = in_flight[self.choose(len(in_flight))]
                if one in self.poison:
                    return in_flight
                in_flight.remove(one)
                self.pending.remove(one)
                self.answered.add(one)
                self.isolation.answered()
        return None

    def _next(self) -> Sequence[int]:
        chosen: Sequence[int] = ()
        while not chosen:
            for one in self.isolation.to_write_off:
                self.written_off.append(one)
                self.pending.remove(one)
            self.isolation.to_write_off.clear()
            if not self.pending:
                return ()
            chosen = self.isolation.next(self.pending)
        return chosen

    def _fill(self, in_flight: list[int], feed: Iterator[int]) -> bool:
        while len(in_flight) < self.window and (one := next(feed, None)) is not None:
            in_flight.append(one)
        return bool(in_flight)


def job(count: int, poison: Sequence[int], window: int, choose: Choose = ORDERS["first"]) -> Job:
    return Job(list(range(count)), frozenset(poison), window, choose)


@st.composite
def jobs(draw: st.DrawFn, least: int, most: int, healthy: int = 1) -> Job:
    """`least` to `most` of the requests kill the engine; at least `healthy` ones do not."""
    count = draw(st.integers(least + healthy, 40))
    top = min(most, count - healthy)
    places = st.integers(0, count - 1)
    if draw(st.booleans()):  # what kills an engine often stands in a row
        size = draw(st.integers(least, top))
        first = draw(st.integers(0, count - size))
        poison = set(range(first, first + size))
    else:
        poison = draw(st.sets(places, min_size=least, max_size=top))
    by_chance = draw(st.randoms(use_true_random=False)).randrange
    choose = draw(st.sampled_from([*ORDERS.values(), by_chance]))
    return Job(list(range(count)), frozenset(poison), draw(st.integers(1, 20)), choose)


def assert_found(found: Job, count: int) -> None:
    assert sorted(found.written_off) == sorted(found.poison)
    assert found.answered == set(range(count)) - found.poison


@settings(max_examples=500)
@given(jobs(0, 2))
@example(job(2, [0], 1))
@example(job(3, [0, 2], 8))
@example(job(40, [0, 39], 20, ORDERS["last"]))
def test_one_or_two_are_found_wherever_they_stand(tried: Job) -> None:
    count = len(tried.pending)
    assert tried.work()
    assert_found(tried, count)


@settings(max_examples=300)
@given(jobs(1, 1))
@example(job(256, [200], 256))
@example(job(9, [8], 9))
def test_one_costs_two_deaths_and_its_halvings(tried: Job) -> None:
    most = 2 + ceil(log2(min(tried.window, len(tried.pending))))
    assert tried.work()
    assert tried.deaths <= most


@settings(max_examples=500)
@given(jobs(0, 39))
@example(job(30, range(10), 3))
@example(job(30, range(1, 30), 8))
@example(job(2, [0], 1))
def test_no_request_that_can_be_answered_is_ever_written_off(tried: Job) -> None:
    count = len(tried.pending)
    if tried.work():
        assert_found(tried, count)
    assert set(tried.written_off) <= tried.poison
    assert len(tried.written_off) == len(set(tried.written_off))


@settings(max_examples=300)
@given(jobs(3, MOST_LONE_DEATHS - 1), st.integers(1, 20))
def test_seven_are_found_once_the_engine_has_answered(tried: Job, before: int) -> None:
    tried.isolation.answered()
    count = len(tried.pending)
    assert tried.work()
    assert_found(tried, count)


def test_many_in_a_row_are_found_for_their_probes_stand_elsewhere() -> None:
    both_ends = [*range(20), *range(1995, 2000)]
    for poison in (range(20), range(500, 520), both_ends):
        tried = job(2000, poison, 8)
        assert tried.work()
        assert_found(tried, 2000)


@given(count=st.integers(2, 500), window=st.integers(1, 64), answered=st.booleans())
def test_an_engine_that_dies_of_everything_writes_nothing_off(
    count: int, window: int, answered: bool
) -> None:
    tried = job(count, range(count), window)
    if answered and count > MOST_LONE_DEATHS:
        tried.isolation.answered()
    assert not tried.work()
    assert tried.written_off == []
    most = MOST_LONE_DEATHS if answered and count > MOST_LONE_DEATHS else LONE_DEATHS
    assert tried.deaths <= 2 + most


def test_the_only_request_has_no_probe_and_is_tried_more_often() -> None:
    tried = job(1, [0], 8)
    assert tried.work()
    assert tried.written_off == [0]
    assert tried.deaths == 1 + LONE_DEATHS


def test_what_was_not_in_flight_at_two_deaths_is_not_suspected() -> None:
    isolation = Isolation()
    pending = list(range(10))
    assert isolation.next(pending) == pending
    assert not isolation.died([0, 1, 2, 3])
    assert isolation.next(pending) == pending
    assert isolation.died([2, 3, 4, 5])
    (probe,) = isolation.next(pending)
    isolation.answered()
    assert probe not in (2, 3)
    pending.remove(probe)
    assert [list(isolation.next(pending)) for _ in range(2)] == [[2], [3]]
    assert isolation.next(pending) == pending
    assert not isolation.isolating


@dataclass
class ReplicaJob(Job):
    """So many requests in an engine that loses a replica by some of them and goes on, as a run
    would do it."""

    replicas: int = 2
    vain: int = 0

    def work(self) -> bool:
        """Until nothing is pending; False if it came out that the engine is to blame."""
        while chosen := self._next():
            if not self._pass(deque(chosen)):
                return False
        return True

    def _pass(self, waiting: deque[int]) -> bool:
        replica_of: dict[int, int] = {}
        paused = False
        while True:
            while waiting and not paused and len(replica_of) < self.window:
                replica_of[waiting.popleft()] = self.choose(self.replicas)
            if not replica_of:
                return True
            one = list(replica_of)[self.choose(len(replica_of))]
            if one not in self.poison:
                del replica_of[one]
                self.pending.remove(one)
                self.answered.add(one)
                self.isolation.answered()
                self.vain = 0
                continue
            lost = [other for other, replica in replica_of.items() if replica == replica_of[one]]
            for other in lost:
                del replica_of[other]
            self._lose(lost)
            if self.vain > 5:
                return False
            if self.isolation.isolating or self.isolation.to_write_off:
                paused = True
            else:
                waiting.extend(lost)

    def _lose(self, lost: list[int]) -> None:
        self.deaths += 1
        assert self.deaths < 30 * (1 + len(self.poison)), "endless"
        self.vain = 0 if self.isolation.died(lost) else self.vain + 1


@settings(max_examples=300)
@given(jobs(0, 2), st.integers(1, 4))
@example(job(2, [0], 1), 1)
@example(job(40, [0, 39], 20, ORDERS["last"]), 3)
def test_one_or_two_are_found_by_the_replicas_that_they_kill(tried: Job, replicas: int) -> None:
    count = len(tried.pending)
    again = ReplicaJob(tried.pending, tried.poison, tried.window, tried.choose, replicas=replicas)
    assert again.work()
    assert_found(again, count)


@settings(max_examples=500)
@given(jobs(0, 39), st.integers(1, 4))
@example(job(30, range(10), 3), 2)
@example(job(30, range(1, 30), 8), 4)
def test_no_request_that_a_replica_can_answer_is_ever_written_off(
    tried: Job, replicas: int
) -> None:
    again = ReplicaJob(tried.pending, tried.poison, tried.window, tried.choose, replicas=replicas)
    again.work()
    assert set(again.written_off) <= again.poison
    assert len(again.written_off) == len(set(again.written_off))
