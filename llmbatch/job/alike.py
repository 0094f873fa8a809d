"""Runs whose requests were shaped as those of a job are now."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from llmbatch.job import fields
from llmbatch.job.fields import Section
from llmbatch.job.spec import JobSpec

# The order of a record's fields changes how much prompts share, and hardly what is answered.
_HARDLY_SHAPING = {"record_order"}
# What shapes an answer beside its row. The name of a model stands for its identity, which only an
# engine knows.
_SHAPING = (fields.shaping(JobSpec) | {"model"}) - _HARDLY_SHAPING


def is_alike(kept: Mapping[str, Any], spec: JobSpec) -> bool:
    """True if a run of the spec `kept` (as the store has it) was asked as one of `spec` will be."""
    wanted = spec.model_dump(mode="json", by_alias=True)
    known = _defaults() | dict(kept)
    return all(
        _shaping_of(name, _with_defaults(name, known[name])) == _shaping_of(name, wanted[name])
        for name in _SHAPING
    )


def _shaping_of(name: str, value: Any) -> Any:
    """A value, of a table without the keys that shape no answer."""
    section = JobSpec.model_fields[name].annotation
    if not (isinstance(section, type) and issubclass(section, Section) and isinstance(value, dict)):
        return value
    return {key: value[key] for key in value if key not in _neutral(section)}


@cache
def _neutral(section: type[Section]) -> frozenset[str]:
    names = {field.alias or name for name, field in section.model_fields.items()}
    return frozenset(names) - fields.shaping(section)


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
