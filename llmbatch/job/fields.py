"""The declaration of a section of the job file and of its fields.

Every field says whether it can change an answer. `keys` builds the request keys from the
fields declared ANSWER, and a test fails on a field that declares nothing: a key that forgets
one serves wrong answers from the store.

The text of a field is the help of its flag; `by_default` describes a default whose value says
too little.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo

from llmbatch.core import duration

_NUMBERS = (int, float, int | None, float | None)


class Affects(StrEnum):
    """The effect of a change of a field on the answers already in the store."""

    ANSWER = "answer"  # part of every request's key
    RENDERED = "rendered"  # acts only through the rendered messages, which are in the key
    NEUTRAL = "neutral"  # cannot change an answer


@dataclass(frozen=True, slots=True)
class Spelled:
    """Of a field that is not read as its type alone would be: what is written there."""

    text: str


def _seconds(value: Any) -> Any:
    """A span of time as a job file or a flag has it, in seconds."""
    if not isinstance(value, str):
        return value
    seconds = duration.seconds(value)
    if seconds is None:
        raise ValueError(f"write a span of time: {duration.FORMS}")
    return seconds


A_SPAN_OF_TIME = Spelled(f"a span of time: {duration.FORMS}")
Seconds = Annotated[float, A_SPAN_OF_TIME, BeforeValidator(_seconds)]
"""The type of a field that holds a span of time, in seconds."""


def members(annotation: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    plain = get_origin(annotation) in (None, Literal, Annotated, tuple, dict)
    return (annotation,) if plain else get_args(annotation)


def _affecting(
    default: Any,
    affects: Affects,
    text: str,
    by_default: str,
    *,
    in_key_by_default: bool = True,
    **limits: Any,
) -> Any:
    extra: dict[str, JsonValue] = {"affects": str(affects), "by_default": by_default}
    if not in_key_by_default:
        extra["key_without"] = default
    return Field(default=default, description=text, json_schema_extra=extra, **limits)


def answer(default: Any, text: str, *, by_default: str = "", **limits: Any) -> Any:
    """A field that is part of every request's key; with `in_key_by_default=False` only where it
    has another value than its default, as a field must be that was added later."""
    return _affecting(default, Affects.ANSWER, text, by_default, **limits)


def rendered(default: Any, text: str, *, by_default: str = "", **limits: Any) -> Any:
    """A field that acts only through the rendered messages."""
    return _affecting(default, Affects.RENDERED, text, by_default, **limits)


def neutral(default: Any, text: str, *, by_default: str = "", **limits: Any) -> Any:
    """A field that cannot change an answer."""
    return _affecting(default, Affects.NEUTRAL, text, by_default, **limits)


def effect(field: FieldInfo) -> Affects:
    """The effect that a field declares."""
    extra = field.json_schema_extra
    assert isinstance(extra, dict), "a field declares nothing"
    return Affects(str(extra["affects"]))


def is_in_key(field: FieldInfo, value: Any) -> bool:
    """True if this value of the field is part of the keys."""
    extra = field.json_schema_extra
    assert isinstance(extra, dict), "a field declares nothing"
    is_left_out = "key_without" in extra and extra["key_without"] == value
    return effect(field) is Affects.ANSWER and not is_left_out


def shaping(section: type[BaseModel]) -> frozenset[str]:
    """The keys of a section, by their names in the job file, that can change an answer."""
    return frozenset(
        field.alias or name
        for name, field in section.model_fields.items()
        if effect(field) != Affects.NEUTRAL
    )


def leaves(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """The keys of a section and of those in it, such as `run.max_rows`, and their fields."""
    for name, field in section.model_fields.items():
        key = prefix + (field.alias or name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, f"{key}.")
        else:
            yield key, field


def default_text(field: FieldInfo) -> str:
    """The default of a field for a person to read; empty if it has none worth a word."""
    extra = field.json_schema_extra
    if isinstance(extra, dict) and extra.get("by_default"):
        return str(extra["by_default"])
    if isinstance(field.default, str):
        return field.default
    is_number = isinstance(field.default, int | float) and not isinstance(field.default, bool)
    return f"{field.default:g}" if is_number else ""


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


def given_keys(section: BaseModel) -> Iterator[str]:
    """The keys of a section, by their names in the job file, that differ from their defaults."""
    for name, field in type(section).model_fields.items():
        if getattr(section, name) != field.default:
            yield field.alias or name
