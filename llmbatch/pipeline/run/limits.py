"""The limits that stop a run while it works: time, money, and requests sent."""

from math import sqrt
from typing import NamedTuple

from llmbatch.core import clock
from llmbatch.core.errors import UsageError
from llmbatch.core.outcomes import Usage
from llmbatch.job import stop_rules
from llmbatch.job.cost import TokenPrice
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run.stop_request import NEVER, StopRequest

# The longest time in flight that was seen fades by this share with each later request.
_FADING = 0.99
# With fewer outcomes than these, or than two for each request in flight, most are short answers.
_FEWEST_OUTCOMES = 32
# Once this share of the budget is spent, what requests in flight may free is not worth a wait.
_NEAR = 0.95


class Spent(NamedTuple):
    """The part of the limits of a process that former stages of a cascade have taken."""

    requests: int
    money: float


NOTHING_SPENT = Spent(0, 0.0)


class RunLimits:
    """Asks the run to stop in time, so that what is in flight still ends within the limits."""

    def __init__(
        self,
        spec: JobSpec,
        stop: StopRequest,
        began: float,
        deadline: float,
        before: Spent = NOTHING_SPENT,
    ) -> None:
        """`began`, `deadline`: clock.seconds() from which device time is paid, and to which the
        work may last; `before`: what former stages have taken."""
        self._stop = stop
        most = NEVER if spec.run.max_rows is None else spec.run.max_rows
        self._rows_left = most - before.requests
        self.sent = 0
        """Requests that were sent."""
        self._budget_name = f"budget of {spec.run.max_cost} {spec.cost.currency}"
        self._ends = [
            (deadline, f"deadline {spec.run.deadline}"),
            (_budget_end(spec, began, before.money), self._budget_name),
        ]
        self._drain_seconds = 0.0
        self._tokens: TokenBudget | None = None
        if spec.cost.price_per_million is not None and spec.run.max_cost is not None:
            longest = spec.longest_answer
            budget = spec.run.max_cost - before.money
            self._tokens = TokenBudget(budget, spec.cost.price_per_million, longest)

    def take(self, in_flight: int = 0) -> bool:
        """Count a request that is about to be sent beside those in flight. False if it must not be
        sent: for the rest of the run if that was asked to stop, else until those in flight have
        settled."""
        if self._stop.drain:
            return False
        if self._rows_left <= 0:
            self._stop.request("--max-rows reached")
            return False
        if self._tokens is not None and not self._tokens.pays_for(in_flight):
            if self._tokens.is_used_up(in_flight):
                self._stop.request(f"{self._budget_name} reached")
            return False
        self._rows_left -= 1
        self.sent += 1
        return True

    def settled(self, seconds_in_flight: float, usage: Usage) -> None:
        """Learn from an outcome how long the requests in flight may still take, and what they may
        cost. The time of a request that was refused at once says nothing about the others."""
        fading = 1.0 if usage.is_nothing else _FADING
        self._drain_seconds = max(seconds_in_flight, self._drain_seconds * fading)
        if self._tokens is not None:
            self._tokens.settled(usage)

    def check(self, expected: float = 0.0) -> None:
        """Ask to stop if work that takes `expected` seconds more than a drain would be late."""
        for end, name in self._ends:
            if clock.seconds() + self._drain_seconds + expected >= end:
                self._stop.request(f"{name} reached", end)


class TokenBudget:
    """The money for tokens, of which a part is reserved for each request in flight.

    At first that part is the cost of the longest answer and of a mean prompt. After enough outcomes
    it is their mean cost and two standard deviations. Long answers are in flight for longer, so
    the part is at least the mean of the costs weighted by themselves (the waiting time paradox:
    Feller, An Introduction to Probability Theory and Its Applications, volume 2, I.4), and at most
    the cost of the longest answer or of the costliest outcome. With nothing in flight a request is
    sent if the money is enough for the mean cost. So it may cost more than is left, and so may long
    prompts and retries with longer answers.
    """

    def __init__(self, budget: float, price: TokenPrice, longest: int) -> None:
        """`budget`: in the currency of `price`; `longest`: tokens of the longest answer."""
        self._budget = budget
        self._price = price
        self._longest = price.cost_of(0, 0, longest)
        self._outcomes = 0
        self._spent = self._squares = self._costliest = self._prompts = 0.0

    def settled(self, usage: Usage) -> None:
        """Learn what a request cost."""
        cost = self._price.cost_of(usage.prompt, min(usage.cached, usage.prompt), usage.output)
        self._outcomes += 1
        self._spent += cost
        self._squares += cost * cost
        self._costliest = max(self._costliest, cost)
        self._prompts += self._price.cost_of(usage.prompt, 0, 0)

    def pays_for(self, in_flight: int) -> bool:
        """True if the budget covers one more request beside those in flight."""
        if in_flight == 0:
            # Before the first outcome, one is sent to learn from.
            return self._spent + self._mean <= self._budget
        return self._spent + (in_flight + 1) * self._reserved(in_flight) <= self._budget

    def is_used_up(self, in_flight: int) -> bool:
        """True if waiting for the requests in flight would not free enough for another one."""
        return in_flight == 0 or self._spent >= _NEAR * self._budget

    @property
    def _mean(self) -> float:
        return self._spent / max(1, self._outcomes)

    def _reserved(self, in_flight: int) -> float:
        """The money that is reserved for one request."""
        longest = max(self._longest + self._prompts / max(1, self._outcomes), self._costliest)
        if self._outcomes < max(_FEWEST_OUTCOMES, 2 * in_flight):
            return longest
        mean = self._mean
        variance = max(0.0, self._squares / self._outcomes - mean * mean)
        by_itself = variance / mean if mean else 0.0
        return min(longest, mean + max(2 * sqrt(variance), by_itself))


def check(spec: JobSpec) -> None:
    """Raise UsageError if the job's limits cannot be kept."""
    _budget_end(spec, 0.0)


def deadline_of(spec: JobSpec, called: float) -> float:
    """The job's deadline as clock.seconds(), for a command that was called at `called`."""
    if spec.run.deadline is None:
        return NEVER
    now = clock.now().astimezone()
    return called + (stop_rules.next_moment(spec.run.deadline, now) - now).total_seconds()


def _budget_end(spec: JobSpec, began: float, spent: float = 0.0) -> float:
    """The time at which the device time of the run has cost as much as it may, beside what was
    spent before; never where the tokens are paid, or where the time is free."""
    cost = spec.cost
    if spec.run.max_cost is None or cost.price_per_million is not None or cost.price_per_hour == 0:
        return NEVER
    if cost.price_per_hour is None:
        raise UsageError(
            "--max-cost needs a price: give --price-per-hour or --price-per-million, too"
        )
    left = max(0.0, spec.run.max_cost - spent)
    return began + left / (cost.price_per_hour * spec.devices) * 3600
