"""Runs whose requests were shaped as those of a job are now."""

from collections.abc import Mapping
from typing import Any

from llmbatch.job.spec import JobSpec

# What shapes an answer beside its row.
_SHAPING = ("model", "system", "prompt", "sampling", "answer")


def is_alike(kept: Mapping[str, Any], spec: JobSpec) -> bool:
    """True if a run of the spec `kept` (as the store has it) was asked as one of `spec` will be."""
    wanted = spec.model_dump(mode="json", by_alias=True)
    return all(kept.get(name) == wanted[name] for name in _SHAPING)
