"""The checks of answers against a constraint, which an engine may not have kept."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import jsonschema
import orjson
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from llmbatch.constraints.patterns import translate
from llmbatch.constraints.patterns.errors import PatternError
from llmbatch.constraints.patterns.keywords import put_sources
from llmbatch.core.errors import UsageError
from llmbatch.core.records import Constraint

Check = Callable[[str], str | None]
"""The reason why an answer breaks a constraint; None if it does not."""

# Up to so many characters, what takes a time in proportion to them is quick.
_SHORT = 20_000
# With these keywords the time that a schema takes may grow faster than the answer.
_SLOW_KEYWORDS = {
    *("pattern", "patternProperties", "uniqueItems", "$ref", "$dynamicRef", "$recursiveRef"),
    *("unevaluatedItems", "unevaluatedProperties"),
}
_REPEATS = re.compile(r"[*+?]|\{\d*,")


@lru_cache(maxsize=16)
def make_check(constraint: Constraint | None) -> Check:
    """The check of a constraint. Raises UsageError when the constraint itself is no good."""
    if constraint is None:
        return lambda text: None
    makers = {"choice": _choice, "json": _json, "regex": _regex}
    return makers[constraint.kind](constraint.value)


def is_surely_quick(constraint: Constraint | None, text: str) -> bool:
    """True if the check of this answer takes a time in proportion to its length, so that it needs
    no bound. What is not simple enough to be sure of is not."""
    if constraint is None or constraint.kind == "choice":
        return True
    return len(text) <= _SHORT and _is_simple(constraint)


@lru_cache(maxsize=16)
def _is_simple(constraint: Constraint) -> bool:
    if constraint.kind == "regex":
        # Without groups and alternatives, one repetition leaves nothing to try in two ways.
        pattern = translate.whole(constraint.value).check
        return not {"(", "|"} & set(pattern) and len(_REPEATS.findall(pattern)) <= 1
    return not _SLOW_KEYWORDS & set(_keys(orjson.loads(constraint.value)))


def _keys(node: Any) -> Iterator[str]:
    """Every key of a schema, those that only name properties included."""
    if isinstance(node, dict):
        yield from node
    if isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _keys(child)


def _choice(value: str) -> Check:
    try:
        choices = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise UsageError("choice: an answer is not valid UTF-8") from error
    if len(set(choices)) != len(choices) or "" in choices:
        raise UsageError("choice: the answers must differ and none may be empty")
    allowed = frozenset(choices)
    return lambda text: None if text in allowed else f"{text[:80]!r} is not one of the choices"


def _regex(value: str) -> Check:
    try:
        pattern = re.compile(translate.whole(value).check)
    except (PatternError, re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"regex: {error}") from error
    return lambda text: None if pattern.fullmatch(text) else "does not match the regex"


def _json(value: str) -> Check:
    validator = _validator(orjson.loads(value))

    def check(text: str) -> str | None:
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return f"is not JSON: {error}"
        try:
            broken = next(iter(validator.iter_errors(document)), None)
        except RecursionError:
            return "is nested too deep to be checked"
        if broken is None:
            return None
        return f"breaks the schema at {broken.json_path}: {broken.message[:200]}"

    return check


def _validator(schema: Any) -> Validator:
    try:
        kind = validator_for(schema, default=jsonschema.Draft202012Validator)
        put_sources(schema)
        kind.check_schema(schema)
        _check_references(schema)
    except jsonschema.SchemaError as error:
        raise UsageError(
            f"schema: is not a JSON Schema: {error.json_path}: {error.message}"
        ) from error
    except (RecursionError, TypeError, AttributeError) as error:
        raise UsageError(f"schema: is not a JSON Schema: {type(error).__name__}") from error
    return kind(schema)


def _check_references(schema: Any) -> None:
    """Every reference must point to something in the schema itself: nothing is fetched."""
    resource = Resource.from_contents(schema, default_specification=DRAFT202012)
    resolver = Registry().resolver_with_root(resource)
    for reference in _references(schema, "$ref") + _references(schema, "$dynamicRef"):
        if not reference.startswith("#"):
            raise UsageError(f"schema: $ref {reference!r} points outside the schema; inline it")
        try:
            resolver.lookup(reference)
        except Unresolvable as error:
            raise UsageError(f"schema: $ref {reference!r} points to nothing") from error


def _references(node: Any, keyword: str) -> list[str]:
    if isinstance(node, dict):
        own = [node[keyword]] if isinstance(node.get(keyword), str) else []
        return own + [one for child in node.values() for one in _references(child, keyword)]
    if isinstance(node, list):
        return [one for child in node for one in _references(child, keyword)]
    return []
