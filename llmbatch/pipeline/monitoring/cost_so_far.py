"""The cost of a run so far, and its projected cost."""

from dataclasses import dataclass, field

from llmbatch.core import clock
from llmbatch.core.outcomes import Usage
from llmbatch.job.cost import CostSpec


@dataclass(frozen=True, slots=True)
class RunCost:
    """The prices of a job for one run, which `began` at that time (clock.seconds()) on `devices`
    devices.

    Devices are paid from the start of the run, reading, planning and the start of the engine
    included; tokens are paid in every attempt. Amounts are in the job's currency, and None where
    there is no price.
    """

    cost: CostSpec = field(default_factory=CostSpec)
    began: float = field(default_factory=clock.seconds)
    devices: int = 1

    @property
    def seconds(self) -> float:
        """The elapsed time of the run."""
        return max(0.0, clock.seconds() - self.began)

    def so_far(self, usage: Usage, seconds: float | None = None) -> float | None:
        """The cost of these tokens and of the elapsed time, or of `seconds` if they are given."""
        cost = self.cost
        if cost.price_per_million is not None:
            cached = min(usage.cached, usage.prompt)
            return cost.price_per_million.cost_of(usage.prompt, cached, usage.output)
        if cost.price_per_hour is None:
            return None
        lasted = self.seconds if seconds is None else seconds
        return lasted / 3600 * self.devices * cost.price_per_hour

    def projected(
        self, usage: Usage, done: float, eta_seconds: float | None, read: float | None = None
    ) -> float | None:
        """The cost of the whole run if the rest takes as much in proportion. `done`, `read` (0..1):
        the finished share of its rows and of the characters of its prompts (None: as `done`);
        `eta_seconds`: the remaining time (None: unknown)."""
        spent = self.so_far(usage)
        if spent is None or eta_seconds is None:
            return None
        if self.cost.price_per_million is not None:
            read = done if read is None else read
            if done <= 0 or read <= 0:
                return None
            prompt, cached = round(usage.prompt / read), round(usage.cached / read)
            return self.so_far(Usage(prompt, cached, round(usage.output / done)))
        return spent * (self.seconds + eta_seconds) / self.seconds if self.seconds > 0 else None
