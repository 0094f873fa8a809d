"""The use of each model of a cascade, and the cost against that of the last model for all rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmbatch.accounting import attribution
from llmbatch.accounting.usage import RunUsage, priced
from llmbatch.job.spec import JobSpec
from llmbatch.store import stage_usage
from llmbatch.store.database import Database
from llmbatch.store.usage_shares import RunRates


@dataclass(frozen=True, slots=True)
class StageUse:
    """A stage of a cascade, `stage` counted from 1. `asked`: the rows that came to it; `answered`
    and `failed`: those that ended there; `escalated`: those that went on. Tokens, device seconds
    and cost are of all runs (cost: None without a price), with their share of the start of
    engines and of idle time; `generating` is the part that grows with the rows: of the cost, or of
    the device seconds where there is none."""

    stage: int
    model: str
    escalate_below: float | None
    asked: int
    answered: int
    failed: int
    escalated: int
    prompt_tokens: int
    output_tokens: int
    device_seconds: float
    cost: float | None
    generating: float


@dataclass(frozen=True, slots=True)
class CascadeUse:
    """The stages, and all of their cost against an estimate of that of the last model alone: what
    it took to generate for each row that it was asked, times all rows, and the rest of what it
    took, such as the start of its engine, once. `unit`: money, or device seconds where there is no
    price; None: the last model was asked of no row."""

    stages: list[StageUse]
    escalation_rate: float | None
    unit: str
    spent: float
    last_for_all: float | None

    @property
    def share(self) -> float | None:
        """The cost as a share of that of the last model for all rows."""
        return self.spent / self.last_for_all if self.last_for_all else None


def build(db: Database, spec: JobSpec, runs: Sequence[RunUsage]) -> CascadeUse | None:
    """The use of a cascade by all runs; None for a job with one model."""
    if not spec.stages:
        return None
    paid = priced(runs)
    rates = [attribution.rates_of(run, is_paid=run in paid) for run in runs]
    used = {each.stage: each for each in stage_usage.of_stages(db, rates)}
    parts = [_generating(run, rate) for run, rate in zip(runs, rates, strict=True)]
    working = {each.stage: each for each in stage_usage.of_stages(db, parts)}
    made = [
        StageUse(
            stage=number + 1,
            model=stage.model,
            escalate_below=stage.escalate_below,
            asked=found.asked,
            answered=found.answered,
            failed=found.failed,
            escalated=found.escalated,
            prompt_tokens=found.prompt_tokens,
            output_tokens=found.output_tokens,
            device_seconds=found.seconds,
            cost=found.cost if paid else None,
            generating=part.cost if paid else part.seconds,
        )
        for number, stage in enumerate(spec.stages)
        for found, part in [
            (used.get(number, stage_usage.NOTHING), working.get(number, stage_usage.NOTHING))
        ]
    ]
    return _against_last(made)


def _against_last(stages: list[StageUse]) -> CascadeUse:
    first, last = stages[0], stages[-1]
    is_money = all(each.cost is not None for each in stages)
    costs = [each.cost or 0.0 if is_money else each.device_seconds for each in stages]
    return CascadeUse(
        stages=stages,
        escalation_rate=first.escalated / first.asked if first.asked else None,
        unit="money" if is_money else "device seconds",
        spent=sum(costs),
        last_for_all=_for_all(costs[-1], last, first.asked) if last.asked else None,
    )


def _for_all(spent: float, last: StageUse, rows: int) -> float:
    return spent - last.generating + last.generating / last.asked * rows


def _generating(run: RunUsage, rates: RunRates) -> RunRates:
    """The rates of a run without the time before and after its generation."""
    part = min(1.0, run.generate_seconds / run.seconds) if run.seconds else 1.0
    paid = part if run.price_per_million is None else 1.0
    return RunRates(
        run=rates.run,
        prompt_seconds=rates.prompt_seconds * part,
        output_seconds=rates.output_seconds * part,
        computed_cost=rates.computed_cost * paid,
        cached_cost=rates.cached_cost * paid,
        output_cost=rates.output_cost * paid,
        attempt_seconds=rates.attempt_seconds * part,
        attempt_cost=rates.attempt_cost * paid,
    )
