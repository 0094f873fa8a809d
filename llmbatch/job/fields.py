"""What a section of the job file declares of its fields.

Every field says whether it can change an answer. `keys` builds the request keys from the
fields declared ANSWER, and a test fails on a field that declares nothing: a key that forgets
one serves wrong answers from the store.
"""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationInfo, field_validator

_NUMBERS = (int, float, int | None, float | None)


class Affects(StrEnum):
    """What a change of a field means for the answers already in the store."""

    ANSWER = "answer"  # part of every request's key
    RENDERED = "rendered"  # acts only through the rendered messages, which are in the key
    NEUTRAL = "neutral"  # cannot change an answer


def _affecting(default: Any, affects: Affects, text: str, **limits: Any) -> Any:
    extra: dict[str, JsonValue] = {"affects": str(affects)}
    return Field(default=default, description=text, json_schema_extra=extra, **limits)


def answer(default: Any, text: str, **limits: Any) -> Any:
    """A field that is part of every request's key."""
    return _affecting(default, Affects.ANSWER, text, **limits)


def rendered(default: Any, text: str, **limits: Any) -> Any:
    """A field that acts only through the rendered messages."""
    return _affecting(default, Affects.RENDERED, text, **limits)


def neutral(default: Any, text: str, **limits: Any) -> Any:
    """A field that cannot change an answer."""
    return _affecting(default, Affects.NEUTRAL, text, **limits)


class Section(BaseModel):
    """A table of the job file: unknown keys are errors, values are never changed in place."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    @field_validator("*", mode="before")
    @classmethod
    def _no_bool(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields[str(info.field_name)]
        if isinstance(value, bool) and field.annotation in _NUMBERS:
            raise ValueError("must be a number")
        return value
