"""What a run may spend: time, money, rows. Decided before it is spent."""

from llmbatch.core import clock, stop
from llmbatch.core.errors import UsageError
from llmbatch.core.spec import JobSpec
from llmbatch.pipeline.stops import NEVER, Stops

# The longest time in flight that was seen fades by this share with each later request.
_FADING = 0.99


class Limits:
    """Asks the run to stop in time, so that what is in flight still ends within the limits."""

    def __init__(self, spec: JobSpec, stops: Stops, began: float, deadline: float) -> None:
        """`began`, `deadline`: clock.seconds() from which device time is paid, and to which the
        work may last."""
        self._stops = stops
        self._rows_left = NEVER if spec.run.max_rows is None else spec.run.max_rows
        self._ends = [
            (deadline, f"deadline {spec.run.deadline}"),
            (_budget_end(spec, began), f"budget of {spec.run.max_cost} {spec.cost.currency}"),
        ]
        self._drain_seconds = 0.0

    def take(self) -> bool:
        """One request more is about to be sent; False if that is one too many."""
        if self._stops.drain:
            return False
        if self._rows_left <= 0:
            self._stops.request("--max-rows reached")
            return False
        self._rows_left -= 1
        return True

    def settled(self, seconds_in_flight: float) -> None:
        """Learn how long what is in flight may still take."""
        self._drain_seconds = max(seconds_in_flight, self._drain_seconds * _FADING)

    def check(self, expected: float = 0.0) -> None:
        """Ask to stop if work that takes `expected` seconds more than a drain would be late."""
        for end, name in self._ends:
            if clock.seconds() + self._drain_seconds + expected >= end:
                self._stops.request(f"{name} reached", end)


def check(spec: JobSpec) -> None:
    """Raise UsageError if the job's limits cannot be kept."""
    _budget_end(spec, 0.0)


def deadline_of(spec: JobSpec, called: float) -> float:
    """The job's deadline as clock.seconds(), for a command that was called at `called`."""
    if spec.run.deadline is None:
        return NEVER
    now = clock.now().astimezone()
    return called + (stop.deadline(spec.run.deadline, now) - now).total_seconds()


def _budget_end(spec: JobSpec, began: float) -> float:
    """When the device time since the run began has cost as much as it may."""
    cost = spec.cost
    if spec.run.max_cost is None:
        return NEVER
    if not cost.price_per_hour:
        raise UsageError("--max-cost needs a price: give --price-per-hour, too")
    return began + spec.run.max_cost / (cost.price_per_hour * cost.devices) * 3600
