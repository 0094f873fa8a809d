"""A job that is planned for the engine of its first stage."""

from collections.abc import Mapping
from typing import NamedTuple

from llmbatch.pipeline.prompts.screening import Screening
from llmbatch.pipeline.rows.drift_watch import DriftWatch
from llmbatch.store.plans import Plan


class PlannedJob(NamedTuple):
    """A plan. `order`: of a record's fields in its prompts, None if no prompt has a record;
    `notices`: lines on answers that are used again although a setting differs; `watch`: what is
    other in the input than before; `identity`: of the model."""

    plan: Plan
    order: tuple[str, ...] | None
    screening: Screening
    notices: list[str]
    watch: DriftWatch
    identity: Mapping[str, str]
