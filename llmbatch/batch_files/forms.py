"""The form of an answer as a body asks for it: response_format, structured_outputs."""

from collections.abc import Mapping
from typing import Any

from llmbatch.batch_files import values
from llmbatch.batch_files.lines import BodyError
from llmbatch.core.errors import nearest
from llmbatch.core.exact_json import dump_record, parse_record
from llmbatch.core.messages import json_text
from llmbatch.core.records import Constraint

ANY_OBJECT = Constraint("json", '{"type":"object"}')
"""The form of `json_object`."""

_FORMATS = ("text", "json_object", "json_schema")
_KINDS = ("json", "regex", "choice", "json_object")
_UNHELD = ("grammar", "structural_tag")
# Of structured_outputs: they change how a form is written, and say nothing by default.
_MANNERS = ("disable_any_whitespace", "disable_additional_properties", "whitespace_pattern")


def form_of(given: Mapping[str, Any]) -> Constraint | None:
    """The form that answers must have; None: any text. Raises BodyError."""
    found = [
        form
        for form in (
            _of_format(given.get("response_format")),
            _of_structured(given.get("structured_outputs")),
        )
        if form is not None
    ]
    if len(found) > 1:
        raise BodyError("response_format and structured_outputs: give one of them")
    return found[0] if found else None


def _of_format(value: Any) -> Constraint | None:
    name = "response_format"
    if value is None:
        return None
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in _FORMATS:
        raise BodyError(
            f"{name}: its type must be one of {', '.join(_FORMATS)} (got {values.shown(kind)})",
            name,
        )
    if kind == "json_schema":
        described = value.get("json_schema")
        if not isinstance(described, dict):
            raise BodyError(f"{name}: json_schema is missing", name)
        return _schema(described.get("schema"), f"{name}.json_schema.schema")
    return ANY_OBJECT if kind == "json_object" else None


def _of_structured(value: Any) -> Constraint | None:
    name = "structured_outputs"
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BodyError(f"{name}: must be an object (got {values.shown(value)})", name)
    said = {key: each for key, each in value.items() if each not in (None, False)}
    for key in said:
        if key in _UNHELD or key in _MANNERS:
            raise BodyError(f"{name}.{key}: is not answered here: leave it out", name)
        if key not in _KINDS:
            raise BodyError(f"{name}: there is no key {key!r}{nearest(key, _KINDS)}", name)
    if len(said) != 1:
        raise BodyError(f"{name}: give exactly one of {', '.join(_KINDS)}", name)
    ((kind, wanted),) = said.items()
    return _structured(kind, wanted, f"{name}.{kind}")


def _structured(kind: str, wanted: Any, name: str) -> Constraint:
    if kind == "json":
        return _schema(wanted, name)
    if kind == "regex":
        if not values.text(name, wanted):
            raise BodyError(f"{name}: is empty", name)
        return Constraint("regex", wanted)
    if kind == "choice":
        if not isinstance(wanted, list) or not wanted:
            raise BodyError(f"{name}: must be a list of texts", name)
        return Constraint("choice", json_text(values.texts(name, wanted)))
    values.boolean(name, wanted)
    return ANY_OBJECT


def _schema(value: Any, name: str) -> Constraint:
    if isinstance(value, str):
        try:
            value = parse_record(value)
        except ValueError as error:
            raise BodyError(f"{name}: is not JSON: {error}", name) from error
    if not isinstance(value, dict):
        raise BodyError(f"{name}: must be a JSON Schema, an object", name)
    return Constraint("json", dump_record(value))
