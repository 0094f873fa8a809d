"""Words for a value that a field of the job cannot take: what it takes, in plain English.

The library that checks a job has sentences of its own for each fault. They name its types, and
not what to write, so none of them is shown: what a field takes is read from its declaration.
"""

import json
from collections.abc import Iterator, Sequence
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from llmbatch.core.errors import nearest
from llmbatch.job.fields import Spelled, members

Fault = dict[str, Any]
Location = tuple[str, ...]

# What its validators say is in words of ours already.
_OURS = "value_error"
SECRET = "secret"
"""The same of a value that may be a secret: it is not shown."""
# The library's mark at the beginning of these words.
_MARK = "Value error, "
# Faults of a table, which the job file's own words are for.
_OF_KEYS = ("extra_forbidden", "missing")
# A bound above it only keeps out what no column could hold, and is named when it is passed.
_HIGHEST_NAMED = 1e6
_TOO_LARGE = ("less_than", "less_than_equal")
_TOO_SMALL = ("greater_than", "greater_than_equal")
_TOO_SHORT = ("string_too_short", "too_short")
_BOUNDS = ("ge", "gt", "le", "lt")
_KINDS = {
    str: "a text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    tuple: 'a list of texts, such as ["a", "b"]',
    dict: "a table",
}
_LONGEST_SHOWN = 80


def faults(error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """The faults of a job or of a table of it, one for each field, at the field's own location:
    of a field that may have several types there is a fault for each of them."""
    first: dict[tuple[str, ...], Fault] = {}
    for item in error.errors(include_url=False):
        where = tuple(str(part) for part in item["loc"])
        place = where if item["type"] in _OF_KEYS else _own_location(model, where)
        first.setdefault(place, dict(item) | {"loc": place})
    return list(first.values())


def joined(found: Sequence[Fault]) -> list[Fault]:
    """The faults, those of missing keys of the job as one, named together."""
    missing = [fault for fault in found if fault["type"] == "missing" and len(fault["loc"]) == 1]
    if len(missing) < 2:
        return [*found]
    *names, last = (fault["loc"][0] for fault in missing)
    one = missing[0] | {"loc": (f"{', '.join(names)} and {last}",)}
    return [one, *(fault for fault in found if fault not in missing)]


def words(fault: Fault, model: type[BaseModel]) -> str:
    """The fault of a value, what may stand there instead, and what was given."""
    given = fault["input"]
    if fault["type"] == SECRET:
        return str(fault["msg"])
    if fault["type"] == _OURS:
        what = str(fault["msg"]).removeprefix(_MARK)
    else:
        field = _field_at(model, fault["loc"])
        what = f"must {_taken(field, fault['type']) if field else 'be a table of keys'}"
        if field and isinstance(given, str):
            what += nearest(given, _names(field))
    # A fault of a table as a whole has no single value to show.
    return what if isinstance(given, dict) else f"{what} (got {shown(given)})"


def shown(value: Any) -> str:
    """A value as a job file has it, cut where it is long."""
    if isinstance(value, str):
        return repr(value[:_LONGEST_SHOWN])
    return json.dumps(value, default=str, ensure_ascii=False)[:_LONGEST_SHOWN]


def _walk(model: type[BaseModel], where: Sequence[str]) -> Iterator[FieldInfo]:
    """The fields on the way to a location; the last one holds the value."""
    section: type[BaseModel] | None = model
    for part in where:
        if section is None:
            return
        named = {field.alias or name: field for name, field in section.model_fields.items()}
        if part not in named:
            return
        yield named[part]
        section = next(filter(_is_section, members(named[part].annotation)), None)


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _own_location(model: type[BaseModel], where: Location) -> Location:
    """The location of the field that holds the value, without the place in it."""
    return where[: sum(1 for _ in _walk(model, where))]


def _field_at(model: type[BaseModel], where: Sequence[str]) -> FieldInfo | None:
    return next(iter([*_walk(model, where)][::-1]), None)


def _taken(field: FieldInfo, fault: str) -> str:
    """The values that a field takes, with the bounds that matter to this fault."""
    if fault in _TOO_SHORT:
        return "not be empty"
    for note in [*field.metadata, *_notes(field)]:
        if isinstance(note, Spelled):
            is_beyond = fault in (*_TOO_LARGE, *_TOO_SMALL)
            bounds = _bounds(field, named=True, unit=" seconds")
            return f"be{bounds}" if is_beyond else f"be {note.text}"
    kinds = [kind for kind in members(field.annotation) if kind is not NoneType]
    names = map(repr, _names(field))
    options = [*names, *(_kind(kind) for kind in kinds if get_origin(kind) is not Literal)]
    *others, last = dict.fromkeys(options)
    either = f"{', '.join(others)} or {last}" if others else last
    return f"be {either}{_bounds(field, named=fault in _TOO_LARGE)}"


def taken(field: FieldInfo) -> str:
    """The values that a field takes, in words."""
    return _taken(field, "").removeprefix("be ")


def _names(field: FieldInfo) -> list[str]:
    """The words that a field takes."""
    kinds = (kind for kind in members(field.annotation) if get_origin(kind) is Literal)
    return [str(name) for kind in kinds for name in get_args(kind)]


def _kind(kind: Any) -> str:
    plain = get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
    return _KINDS.get(get_origin(plain) or plain, "a table")


def _constraints(field: FieldInfo) -> Iterator[Any]:
    """Those of the field, and of the types that it may have."""
    yield from field.metadata
    for note in _notes(field):
        yield from getattr(note, "metadata", (note,))


def _notes(field: FieldInfo) -> Iterator[Any]:
    """The notes of the types that a field may have."""
    for kind in members(field.annotation):
        yield from getattr(kind, "__metadata__", ())


def _bounds(field: FieldInfo, *, named: bool, unit: str = "") -> str:
    """The bounds of a number; a very large one only if it is what the fault is about."""
    found = {
        name: getattr(note, name)
        for note in _constraints(field)
        for name in _BOUNDS
        if getattr(note, name, None) is not None
    }
    most = found.get("le", found["lt"] - 1 if "lt" in found else None)
    if most is not None and most > _HIGHEST_NAMED and not named:
        most = None
    if "ge" in found:
        least = f"{found['ge']:g}"
        return f", {least} or more" if most is None else f" from {least} to {_digits(most)}{unit}"
    least = f" above {found['gt']:g}" if "gt" in found else ""
    return least if most is None else f"{least}, {_digits(most)}{unit} at most"


def _digits(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:g}"
