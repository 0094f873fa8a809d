"""The plan of the further models of a cascade; how many rows come to them, earlier runs say."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from llmbatch.core import units
from llmbatch.core.errors import LlmbatchError
from llmbatch.estimate import text
from llmbatch.estimate.preview import Preview, preview
from llmbatch.job import stages
from llmbatch.pipeline.prompts import ready_job
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.sizing.device import Device
from llmbatch.store import stage_rates
from llmbatch.store.opening import open_store

# The lines of a plan that depend on the model.
_OF_MODEL = ("reuse", "memory", "time", "cost", "device", "weights")


def jobs(job: ReadyJob) -> list[ReadyJob]:
    """The job of each stage; of a job with one model itself."""
    if not job.spec.stages:
        return [job]
    return [
        replace(ready_job.make(spec), input=job.input, output=job.output, paths=job.paths)
        for spec in stages.specs(job.spec)
    ]


def lines(
    job: ReadyJob, further: Sequence[ReadyJob], first: Preview, device: Device | None
) -> Iterator[str]:
    """The lines on the stages, to follow those on the first; none for a job with one model."""
    if not further:
        return
    rates = measured_rates(job)
    yield (
        f"stages    {len(further) + 1}, each with an engine of its own, one after the other; above "
        f"is the first, {job.spec.stages[0].model}, which is asked for all rows"
    )
    for number, stage in enumerate(further, start=2):
        rate = rates.get(number - 2)
        known = (
            "how many rows come to it is not known before a run"
            if rate is None
            else f"{units.share(rate)} of the rows came to it in the last runs"
        )
        yield f"stage {number}   {stage.spec.model}: {known}; if all rows did:"
        plan = preview(stage, device)
        for line in text.lines(plan):
            if line.startswith(_OF_MODEL):
                yield f"          {line}"


def as_json(further: Sequence[ReadyJob], first: Preview, device: Device | None) -> dict[str, Any]:
    """The plans of the further stages as if all rows came to them, as JSON; nothing for a job with
    one model."""
    return {"stages": [preview(job, device).as_json() for job in further]} if further else {}


def measured_rates(job: ReadyJob) -> dict[int, float]:
    """By stage, from 0: the share of all asked rows that went on from it, as the store has it;
    empty where it has none, or a run holds it."""
    if not job.paths.store.is_file():
        return {}
    with suppress(LlmbatchError), open_store(job.paths.store, read_only=True) as db:
        return stage_rates.escalated(db)
    return {}
