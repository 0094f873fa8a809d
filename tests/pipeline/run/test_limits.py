"""The limits of a run are checked before anything is spent."""

from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.core import clock
from llmbatch.core.errors import UsageError
from llmbatch.core.outcomes import Usage
from llmbatch.job.sampling import SamplingSpec
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run.limits import RunLimits, deadline_of
from llmbatch.pipeline.run.stop_request import NEVER, StopRequest

# Far more than a test takes between two looks at the clock, far less than the limits.
SLACK = 30.0
HOUR = 3600.0


def spec(cost: dict[str, Any] | None = None, **run: Any) -> JobSpec:
    table = {"input": "i.csv", "output": "o.jsonl", "model": "m", "prompt": "p"}
    return JobSpec.model_validate(table | {"run": run, "cost": cost or {}})


def limits(stop: StopRequest, job: JobSpec, left: float = NEVER) -> RunLimits:
    """Of a run that begins now and may last `left` seconds."""
    began = clock.seconds()
    return RunLimits(job, stop, began, began + left)


def test_without_limits_nothing_stops() -> None:
    stop = StopRequest()
    free = limits(stop, spec())
    free.settled(10 * HOUR, Usage())
    free.check(1000 * HOUR)
    assert all(free.take() for _ in range(1000))
    assert not stop.drain


@pytest.mark.parametrize("count", [1, 3])
def test_so_many_requests_are_sent_and_no_more(count: int) -> None:
    stop = StopRequest()
    few = limits(stop, spec(max_rows=count))
    assert [few.take() for _ in range(count)] == [True] * count
    assert not stop.drain  # it may be that no more are wanted
    assert not few.take()
    assert (stop.drain, stop.reason) == (True, "--max-rows reached")
    assert not few.take()


def test_nothing_is_sent_once_a_stop_was_asked_for() -> None:
    stop = StopRequest()
    free = limits(stop, spec())
    stop.request("enough")
    assert not free.take()


def test_a_deadline_leaves_time_for_what_is_in_flight() -> None:
    stop = StopRequest()
    hour = limits(stop, spec(deadline="1h"), left=HOUR)
    hour.settled(HOUR - SLACK, Usage())
    hour.check()
    assert not stop.drain
    hour.settled(HOUR + SLACK, Usage())
    hour.check()
    assert stop.reason == "deadline 1h reached"
    assert not stop.leave  # until the deadline itself what is in flight may end


def test_a_deadline_that_has_come_waits_for_nothing() -> None:
    stop = StopRequest()
    limits(stop, spec(deadline="0s"), left=0.0).check()
    assert stop.drain
    assert stop.leave


def test_the_longest_time_in_flight_fades() -> None:
    stop = StopRequest()
    hour = limits(stop, spec(deadline="1h"), left=HOUR)
    hour.settled(2 * HOUR, Usage(output=1))
    for _ in range(100):
        hour.settled(1.0, Usage(output=1))
    hour.check()
    assert not stop.drain


def test_what_is_refused_at_once_says_nothing_of_the_time_in_flight() -> None:
    stop = StopRequest()
    hour = limits(stop, spec(deadline="1h"), left=HOUR)
    hour.settled(2 * HOUR, Usage(output=1))
    for _ in range(100):
        hour.settled(0.0, Usage())
    hour.check()
    assert stop.drain


def test_work_that_would_be_late_is_not_begun() -> None:
    stop = StopRequest()
    hour = limits(stop, spec(deadline="1h"), left=HOUR)
    hour.check(expected=HOUR - SLACK)
    assert not stop.drain
    hour.check(expected=HOUR + SLACK)
    assert stop.drain


def test_a_budget_is_device_time_at_its_price() -> None:
    # 8 devices at 2.50: 20 an hour, so 10 buys half an hour.
    cost = {"price_per_hour": 2.5, "devices": 8, "currency": "EUR"}
    stop = StopRequest()
    bought = limits(stop, spec(cost, max_cost=10))
    bought.check(expected=HOUR / 2 - SLACK)
    assert not stop.drain
    bought.check(expected=HOUR / 2 + SLACK)
    assert stop.reason == "budget of 10.0 EUR reached"


def test_the_nearer_of_two_limits_counts() -> None:
    stop = StopRequest()
    both = limits(stop, spec({"price_per_hour": 1}, max_cost=2, deadline="1h"), left=HOUR)
    both.check(expected=1.5 * HOUR)
    assert stop.reason == "deadline 1h reached"


def test_a_budget_of_tokens_keeps_the_longest_answer_for_each_request_at_first() -> None:
    # An answer of 100 tokens costs 0.001, the prompt seen 0.004.
    cost = {"price_per_million": "4/10/1.60"}
    stop = StopRequest()
    job = spec(cost, max_cost=0.0100).model_copy(update={"sampling": SamplingSpec(max_tokens=100)})
    paid = limits(stop, job)
    assert all(paid.take(in_flight) for in_flight in range(10))
    assert not paid.take(10)
    assert not stop.drain  # it waits for what is in flight
    paid.settled(1.0, Usage(prompt=1000, cached=500, output=10))
    paid.check(1000 * HOUR)
    assert not stop.drain
    assert paid.take(0)
    assert not paid.take(1)  # 0.0029 is spent
    assert not stop.drain


def test_a_budget_of_tokens_ends_the_run_when_nothing_more_is_paid_for() -> None:
    stop = StopRequest()
    paid = limits(stop, spec({"price_per_million": "0/1000000"}, max_cost=2))
    paid.settled(1.0, Usage(output=1))
    assert paid.take(0)  # the mean is left
    assert not stop.drain
    paid.settled(1.0, Usage(output=1))
    assert not paid.take(0)
    assert stop.reason == "budget of 2.0 USD reached"


def test_a_budget_that_is_nearly_spent_is_not_waited_for() -> None:
    stop = StopRequest()
    paid = limits(stop, spec({"price_per_million": "0/1000000"}, max_cost=100))
    for _ in range(96):
        paid.settled(1.0, Usage(output=1))
    assert not paid.take(5)
    assert stop.drain


def test_a_budget_of_tokens_learns_from_failures_that_cost_nothing() -> None:
    stop = StopRequest()
    paid = limits(stop, spec({"price_per_million": "0/1000000"}, max_cost=10))
    paid.settled(1.0, Usage(output=1))
    for _ in range(99):
        paid.settled(1.0, Usage())
    # The mean is 0.01, a standard deviation 0.0995; of the costs weighted by themselves it is 1.
    assert paid.take(8)
    assert not paid.take(9)


@settings(deadline=None)
@given(
    lengths=st.lists(st.sampled_from([1, 2, 3, 500]), min_size=1, max_size=300),
    slots=st.integers(1, 40),
    budget=st.integers(1, 8000),
)
def test_a_budget_of_tokens_is_overrun_by_little(
    lengths: list[int], slots: int, budget: int
) -> None:
    """Few long answers among short ones, all in slots that move on a token at a time."""
    stop = StopRequest()
    cost = {"price_per_million": "0/1000000"}
    paid = limits(stop, spec(cost, max_cost=budget))
    left, sent, spent = deque(lengths), list[list[int]](), 0
    open_feed = True
    while sent or (left and not stop.drain):
        while open_feed and left and len(sent) < slots:
            open_feed = paid.take(len(sent))
            if open_feed:
                length = left.popleft()
                sent.append([length, length])
        for each in list(sent):
            each[0] -= 1
            if each[0] == 0:
                sent.remove(each)
                spent += each[1]
                paid.settled(1.0, Usage(output=each[1]))
        open_feed = open_feed or not sent
    assert spent <= budget + 512
    if left:
        assert stop.drain
        assert spent >= min(0.9 * budget, budget - 512)


def test_a_budget_needs_a_price() -> None:
    with pytest.raises(UsageError, match=r"--max-cost.*--price-per-hour or --price-per-million"):
        limits(StopRequest(), spec({}, max_cost=1))


@pytest.mark.parametrize(
    "cost",
    [
        {"price_per_hour": 0},
        {"price_per_hour": 5e-324},
        {"price_per_million": "0/0"},
        {"price_per_million": "0/0/1"},
        {"price_per_hour": 0, "devices": 8, "listed_price": "1/2"},
    ],
)
def test_a_price_of_zero_is_one_that_no_budget_ends(cost: dict[str, Any]) -> None:
    stop = StopRequest()
    free = limits(stop, spec(cost, max_cost=1))
    for in_flight in range(100):
        assert free.take(in_flight)
        free.settled(1.0, Usage(prompt=10**9, output=10**9))
    free.check(expected=10_000 * HOUR)
    assert not stop.drain


def test_a_duration_counts_from_the_call_of_the_command() -> None:
    called = clock.seconds() - 600
    assert deadline_of(spec(deadline="1h"), called) == pytest.approx(called + HOUR, abs=1)
    assert deadline_of(spec(), called) == NEVER
    assert 0 < deadline_of(spec(deadline="06:00"), called) - called <= 25 * HOUR
