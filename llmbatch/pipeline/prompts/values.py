"""The values of a row in a prompt: how each is written, and which of them say nothing.

A null is written as nothing. Text stays as it is, numbers as they came; all else is JSON.
"""

from collections.abc import (
    Iterable,
    Iterator,
    MappingView,
    Set,
)
from typing import Any

from jinja2.runtime import LoopContext, Undefined

from llmbatch.core import exact_json

_LISTED: tuple[Any, ...] = (MappingView, Iterator, Set, range)


class EmptyRecord(str):
    """`{{ record }}` of a row in which nothing stands: text that says nothing."""

    __slots__ = ()


class _Truth(int):
    """A boolean for a format: JSON as text, 0 or 1 as a number."""

    def __str__(self) -> str:
        return "true" if self else "false"

    def __format__(self, spec: str) -> str:
        return super().__format__(spec) if spec else str(self)


def shown(value: Any) -> Any:
    """`value` as a placeholder writes it: a text, or a value whose `str()` is that text.

    Raises TypeError for a value that has no text, such as a function.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int | float | Undefined):
        return value
    if isinstance(value, dict | list | tuple):
        return exact_json.dump_record(_plain(value))
    if isinstance(value, _LISTED) and not isinstance(value, LoopContext):
        return exact_json.dump_record(_plain(list(value)))
    raise TypeError(_without_text(value))


def text_of(value: Any) -> str:
    """`value` as the text that a placeholder writes."""
    text = shown(value)
    return text if isinstance(text, str) else str(text)


def _plain(value: Any) -> Any:
    """`value` with its tuples as lists, at any depth: JSON knows no others."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, list) and any(isinstance(item, list | tuple | dict) for item in value):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _without_text(value: Any) -> str:
    name = getattr(value, "__name__", None)
    if name and callable(value):
        return (
            f"{name} is a function here, not a value: write {name}() to call it, or ['{name}'] for "
            "a key of that name"
        )
    return f"a value of type {type(value).__name__} cannot be written into a prompt"


def formatted(value: Any) -> Any:
    """`value` as a format such as `%s` or `{}` takes it."""
    if value is True or value is False:
        return _Truth(value)
    return value if isinstance(value, int | float) else shown(value)


def says_something(value: Any) -> bool:
    """False for a null, for blank text, and for a list or object that holds nothing else."""
    if isinstance(value, str):
        return bool(value) and not value.isspace() and type(value) is not EmptyRecord
    if value is None or isinstance(value, Undefined):
        return False
    if isinstance(value, dict):
        return any_says_something(value.values())
    return any_says_something(value) if isinstance(value, list | tuple) else True


def any_says_something(values: Iterable[Any]) -> bool:
    """True if one of these values says something."""
    # The first one does in most rows, so this is to be quick.
    for value in values:  # noqa: SIM110
        if type(value) is int or says_something(value):
            return True
    return False
