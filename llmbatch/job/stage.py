"""The list [[model]]: the models of a cascade, the cheapest first.

Each row is asked of the first model. Where its answer fails, or its confidence is too low, the next
one is asked.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError, field_validator

from llmbatch.core.errors import nearest
from llmbatch.job import expected
from llmbatch.job.cost import TokenPrice, price_of
from llmbatch.job.engine import check_options, secret_fault
from llmbatch.job.expected import SECRET
from llmbatch.job.fields import Section, neutral, rendered


class StageSpec(Section):
    """A model of a cascade, and what is asked of it otherwise than of the others."""

    model: str = neutral(..., "Folder or name of the model.", min_length=1)
    escalate_below: float | None = neutral(
        None,
        "Confidence, 0 to 1, under which an answer of `--task classify` goes on to the next model. "
        "Without it only rows that fail do.",
        ge=0,
        le=1,
    )
    engine: dict[str, Any] = neutral({}, "Options of the engine beside those of [engine].")
    prompt: str | None = rendered(None, "Prompt for this model.", min_length=1)
    system: str | None = rendered(None, "System prompt for this model.")
    price_per_hour: float | None = neutral(None, "Price of one device for one hour.", ge=0)
    price_per_million: TokenPrice | None = neutral(
        None, "Price of a million tokens, IN/OUT[/CACHED]."
    )

    @field_validator("engine")
    @classmethod
    def _engine(cls, value: dict[str, Any]) -> dict[str, Any]:
        check_options(value)
        return value

    @field_validator("price_per_million", mode="before")
    @classmethod
    def _price(cls, value: Any) -> Any:
        return price_of(value)


def with_stages(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """A job's table with the list [[model]] as its stages, and the first of these as the model."""
    entries = table.get("model")
    if isinstance(entries, list | tuple):
        made = read(entries)
        return {**table, "model": made[0]["model"], "stages": made}
    return table


def read(entries: Sequence[Any]) -> list[dict[str, Any]]:
    """The entries of the list, checked. Raises ValueError that says which one is wrong."""
    if len(entries) < 2:
        raise ValueError('[[model]]: a cascade has two models at least; one is model = "NAME"')
    return [_read_entry(number, entry) for number, entry in enumerate(entries, start=1)]


def _read_entry(number: int, entry: Any) -> dict[str, Any]:
    if isinstance(entry, StageSpec):
        return entry.model_dump()
    if not isinstance(entry, Mapping):
        raise ValueError(f"[[model]] number {number}: must be a table")
    engine = entry.get("engine")
    if isinstance(engine, Mapping) and "name" in engine:
        raise ValueError(f"[[model]] number {number}: engine.name: one engine serves all stages")
    try:
        return StageSpec.model_validate(dict(entry)).model_dump()
    except ValidationError as error:
        fault = expected.faults(error, StageSpec)[0]
        text = f"[[model]] number {number}: {_words(fault)}"
        raise secret_fault(text) if fault["type"] == SECRET else ValueError(text) from None


def _words(fault: expected.Fault) -> str:
    key = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"unknown key {key!r}{nearest(key, StageSpec.model_fields)}"
    if fault["type"] == "missing":
        return f"{key} is missing"
    return f"{key}: {expected.words(fault, StageSpec)}"
