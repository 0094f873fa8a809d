"""Runs whose requests were shaped as those of a job are now."""

from collections.abc import Mapping
from typing import Any

from llmbatch.job import fields
from llmbatch.job.spec import JobSpec

# The order of a record's fields changes how much prompts share, and hardly what is answered.
_HARDLY_SHAPING = {"record_order"}
# What shapes an answer beside its row. The name of a model stands for its identity, which only an
# engine knows.
_SHAPING = (fields.shaping(JobSpec) | {"model"}) - _HARDLY_SHAPING


def is_alike(kept: Mapping[str, Any], spec: JobSpec) -> bool:
    """True if a run of the spec `kept` (as the store has it) was asked as one of `spec` will be."""
    wanted = spec.model_dump(mode="json", by_alias=True)
    return all(kept.get(name) == wanted[name] for name in _SHAPING)
