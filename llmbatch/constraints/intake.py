"""The schema that a job gives, as all else reads it: unwrapped, checked, in its plain form."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import jsonschema

from llmbatch.constraints import answer_json, json_check
from llmbatch.constraints.answer_json import UnreadableError
from llmbatch.constraints.formats import CHECKED
from llmbatch.constraints.keywords import check_names, idle_keywords
from llmbatch.constraints.meaning import meaning_of
from llmbatch.constraints.patterns.keywords import put_sources
from llmbatch.constraints.plain_form import make_plain
from llmbatch.constraints.satisfiable import require_satisfiable
from llmbatch.constraints.schema_walk import place, subschemas
from llmbatch.constraints.wrappers import unwrap
from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.exact_json import dump_record, parse_record

_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")


class Intake(NamedTuple):
    """`schema`: in the plain form, `text`: as JSON; `notices`: lines for the user; `meaning`: what
    answers depend on beside the text of what was given, a part of the keys of requests."""

    schema: dict[str, Any]
    text: str
    notices: tuple[str, ...]
    meaning: dict[str, Any]


def take(schema: Mapping[str, Any]) -> Intake:
    """Take in the schema of a job. Raises UsageError if it cannot be held, with the place."""
    try:
        text = dump_record(schema)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"schema: is not JSON: {error}") from error
    return take_text(text)


@lru_cache(maxsize=16)
def take_text(text: str) -> Intake:
    """Take in a schema given as JSON text; see `take`."""
    try:
        return _take(parse_record(text))
    except UnreadableError as error:
        raise UsageError(f"schema: {error}") from error
    except (RecursionError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"schema: is not a JSON Schema: {type(error).__name__}") from error


def _why(error: jsonschema.SchemaError) -> str:
    path, given = list(error.path), error.instance
    if path and path[-1] == "type" and isinstance(given, str):
        return f"{given!r} is no type{nearest(given, _TYPES)}; there are {', '.join(_TYPES)}"
    return str(error.message)[:200]


def _take(given: dict[str, Any]) -> Intake:
    schema, path = unwrap(given)
    try:
        taken = _read(schema)
    except UsageError as error:
        # Its places are those in the file.
        raise UsageError(str(error).replace(": $", f": {place(path)}", 1)) from error
    if not path:
        return taken
    around = f"schema: taken from {place(path)}; what stands around it is left out"
    notices = (around, *taken.notices)
    return taken._replace(notices=notices, meaning=taken.meaning | {"plain": taken.text})


def _read(schema: dict[str, Any]) -> Intake:
    """Take in a schema that nothing stands around."""
    unknown = check_names(schema)
    if idle := idle_keywords(schema):
        raise UsageError(
            f"schema: $: constrains nothing (it has only: {', '.join(idle)}); give a type, "
            "properties or a $ref; {} alone takes any JSON"
        )
    plain = make_plain(schema)
    # What its draft passes over leaves nothing, and takes any JSON.
    text = "{}" if idle_keywords(plain.schema) else dump_record(plain.schema)
    _require_schema(text)
    exact = answer_json.read(text)
    meaning = ({"plain": text} if plain.revised else {}) | meaning_of(exact)
    json_check.prepare(exact)
    require_satisfiable(exact, json_check.validator(exact))
    notices = (*unknown, *plain.notices, *_unchecked(plain.schema))
    return Intake(parse_record(text), text, notices, meaning)


def _require_schema(text: str) -> None:
    """Raise UsageError for what is no schema; its patterns have their own form."""
    schema = parse_record(text)
    put_sources(schema)
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        where = place(tuple(error.absolute_path))
        raise UsageError(f"schema: is not a JSON Schema: {where}: {_why(error)}") from error


def unchecked_formats(schema: Any) -> set[str]:
    """The formats that a schema names and nothing checks: they only describe an answer."""
    named = (one.schema.get("format") for one in subschemas(schema) if isinstance(one.schema, dict))
    return {name for name in named if isinstance(name, str)} - set(CHECKED)


def _unchecked(schema: Any) -> list[str]:
    names = sorted(unchecked_formats(schema))
    return [f"schema: not checked, only described: format {', '.join(names)}"] if names else []
