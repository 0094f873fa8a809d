"""All that the answers to a schema depend on beside its own text.

Answers of earlier versions, which knew less of a schema, are kept where they are right today as
well; where they may not be, the keys of the requests hold what is said here.
"""

from collections.abc import Mapping
from typing import Any

from llmbatch.constraints.formats import CHECKED
from llmbatch.constraints.numbers import engine_form, is_number, text_of
from llmbatch.constraints.patterns.errors import PatternError
from llmbatch.constraints.patterns.translate import differs_from_python
from llmbatch.constraints.schema_walk import subschemas


def meaning_of(schema: Any) -> dict[str, Any]:
    """The parts of a schema (plain, with exact numbers) that earlier versions did not hold to the
    letter, as JSON; empty if there are none."""
    parts = [one.schema for one in subschemas(schema) if isinstance(one.schema, Mapping)]
    found = {
        "formats": sorted({str(part.get("format")) for part in parts} & set(CHECKED)),
        "numbers": [text for part in parts for text in _misprinted(part)],
        "patterns": sorted({one for part in parts for one in _patterns(part) if _is_new(one)}),
        "keys": any(map(_has_free_names, parts)),
    }
    return {name: value for name, value in found.items() if value}


def _misprinted(part: Mapping[str, Any]) -> list[str]:
    """The numbers of `enum` and `const` that an engine writes with other digits."""
    values = [*part.get("enum", ()), *([part["const"]] if "const" in part else [])]
    return [text_of(one) for one in _numbers(values) if _is_misprinted(one)]


def _is_misprinted(number: Any) -> bool:
    form = engine_form(number)
    return form is not number and str(form) != text_of(number)


def _numbers(value: Any) -> list[Any]:
    if isinstance(value, list | dict):
        below = value.values() if isinstance(value, dict) else value
        return [number for one in below for number in _numbers(one)]
    return [value] if is_number(value) else []


def _patterns(part: Mapping[str, Any]) -> list[str]:
    named = part.get("patternProperties", {})
    return [*([part["pattern"]] if "pattern" in part else []), *named]


def _is_new(pattern: str) -> bool:
    try:
        return differs_from_python(pattern)
    except PatternError:
        return False


def _has_free_names(part: Mapping[str, Any]) -> bool:
    """True if a grammar lets objects have names of the engine's choice, and so one name twice."""
    if part.get("patternProperties") or part.get("additionalProperties", False) is not False:
        return True
    names = part.get("type", ())
    is_object = "object" in ([names] if isinstance(names, str) else names)
    return is_object and not part.get("properties") and "additionalProperties" not in part
