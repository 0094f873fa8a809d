"""The stages of a cascade as jobs: each is a job of its own in all but its rows."""

from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec
from llmbatch.job.stage import StageSpec

# The prices of a stage, which take the place of those of [cost].
_PRICES = ("price_per_hour", "price_per_million")


def check(spec: JobSpec) -> None:
    """Raise UsageError for a job that cannot be a cascade, or has no confidence to compare."""
    stages = spec.stages
    if stages and (reason := _reason_against(spec)):
        raise UsageError(f"[[model]]: a cascade {reason}")
    for number, stage in enumerate(stages, start=1):
        if stage.escalate_below is None:
            continue
        if number == len(stages):
            raise UsageError(
                f"[[model]] number {number}: escalate_below: no model follows the last one"
            )
        if spec.task != "classify":
            raise UsageError(
                f"[[model]] number {number}: escalate_below: only answers of task classify have a "
                "confidence; without it rows that fail go on to the next model"
            )


def _reason_against(spec: JobSpec) -> str:
    reasons = {
        "asks a text or a label of each row, and no vector or score": spec.task
        in ("embed", "score"),
        "takes one answer of a row: leave sampling.samples out": spec.sampling.samples > 1,
        "reads rows, and no batch file": spec.is_batch,
        "computes its answers, and writes no openai-batch file": spec.output_format
        == "openai-batch",
        "cannot run its gold rows first: leave eval.min out, see llmbatch eval --cascade": (
            spec.eval.is_gate
        ),
        "takes no adapters": bool(spec.adapter or spec.adapter_column or spec.adapters),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def specs(spec: JobSpec) -> list[JobSpec]:
    """The job of each stage, the first one first; of a job with one model itself."""
    return [_spec_of(spec, stage) for stage in spec.stages] or [spec]


def first(spec: JobSpec) -> JobSpec:
    """The job of the first stage."""
    return specs(spec)[0]


def _spec_of(spec: JobSpec, stage: StageSpec) -> JobSpec:
    options = {**spec.engine.model_dump(), **stage.engine}
    changed: dict[str, Any] = {
        "model": stage.model,
        "engine": type(spec.engine).model_validate(options),
        "stages": (),
    }
    changed |= {name: text for name in ("prompt", "system") if (text := getattr(stage, name))}
    prices = {name: getattr(stage, name) for name in _PRICES}
    if any(price is not None for price in prices.values()):
        changed["cost"] = spec.cost.model_copy(update=prices)
    return spec.model_copy(update=changed)
