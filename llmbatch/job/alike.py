"""Runs whose requests were shaped as those of a job are now."""

from collections.abc import Mapping
from functools import cache
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
    return all(_with_defaults(name, kept.get(name)) == wanted[name] for name in _SHAPING)


@cache
def _defaults() -> dict[str, Any]:
    needed = {name: "-" for name, field in JobSpec.model_fields.items() if field.is_required()}
    return JobSpec.model_validate(needed).model_dump(mode="json", by_alias=True)


def _with_defaults(name: str, kept: Any) -> Any:
    """A kept value; one that the version of that run did not know yet has its default."""
    default = _defaults()[name]
    if isinstance(default, dict) and isinstance(kept, dict | None):
        return default | (kept or {})
    return kept
