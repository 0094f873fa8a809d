"""The check of an answer against a JSON Schema in its plain form, with exact numbers."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jsonschema
from jsonschema import TypeChecker, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from llmbatch.constraints import answer_json
from llmbatch.constraints.answer_json import UnreadableError
from llmbatch.constraints.formats import CHECKED
from llmbatch.constraints.members import Members, canonical
from llmbatch.constraints.numbers import is_integer, is_multiple, is_number
from llmbatch.constraints.patterns.keywords import put_sources
from llmbatch.constraints.schema_walk import place, subschemas

_REASON = 200  # characters of a reason, at most


class Judgement(NamedTuple):
    """The result of a check. `reason`: why the answer breaks its constraint, on one line, None if
    it keeps it; `text`: the answer as it is kept, with numbers as the schema writes them."""

    reason: str | None
    text: str


Judge = Callable[[str], Judgement]
"""The check of an answer that also says how it is written."""

Faults = Iterator[ValidationError]


def make_json_judge(schema_text: str) -> Judge:
    """The judge of answers by a schema that was taken in, given as JSON text."""
    schema = answer_json.read(schema_text)
    holds_numbers = prepare(schema)
    exact = validator(schema)

    def judge(text: str) -> Judgement:
        try:
            value = answer_json.read(text, numbered=holds_numbers)
            answer_json.require_characters(text, value)
            broken = next(iter(exact.iter_errors(value)), None)
        except UnreadableError as error:
            return Judgement(str(error), text)
        except RecursionError:
            return Judgement("is nested too deep to be checked", text)
        if broken is not None:
            return Judgement(_reason(broken), text)
        return Judgement(None, answer_json.rewritten(text, value) if holds_numbers else text)

    return judge


def _reason(broken: ValidationError) -> str:
    broken = _within_choices(broken)
    where = place(tuple(broken.absolute_path))[:_REASON]
    return f"breaks the schema at {where}: {' '.join(broken.message[:_REASON].splitlines())}"


def _within_choices(broken: ValidationError) -> ValidationError:
    """The fault within a choice, where there is but one beside null."""
    while broken.validator in ("anyOf", "oneOf") and broken.context:
        choices: Any = broken.validator_value
        meant = [n for n, one in enumerate(choices) if one != {"type": "null"}]
        # The fault of a choice that is `false` has no path.
        faults = [one for one in broken.context if [*one.schema_path][:1] in [[n] for n in meant]]
        if len(meant) != 1 or not faults:
            break
        broken = faults[0]
    return broken


def validator(schema: Any) -> Validator:
    """The validator of exact values by a schema with `Members`."""
    made: Validator = _Exact(schema)
    return made


def prepare(schema: Any) -> bool:
    """Put the sources of patterns in their places, and `Members` in those of the values that `enum`
    and `const` allow. True if a number is among them, which then is to be written as there."""
    put_sources(schema)
    holds_numbers = False
    for one in list(subschemas(schema)):
        if not isinstance(one.schema, dict):
            continue
        for keyword in ("enum", "const"):
            if keyword in one.schema and not isinstance(one.schema[keyword], Members):
                given = one.schema[keyword]
                members = Members(given if keyword == "enum" else [given])
                one.schema[keyword] = members
                holds_numbers = holds_numbers or members.hold_numbers
    return holds_numbers


def _enum(validator: Validator, members: Members, value: Any, schema: Any) -> Faults:
    if not members.take(value):
        yield ValidationError(f"{value!r} is not one of {members!r}")


def _const(validator: Validator, members: Members, value: Any, schema: Any) -> Faults:
    if not members.take(value):
        yield ValidationError(f"{members.values[0]!r} was expected")


def _multiple_of(validator: Validator, divisor: Any, value: Any, schema: Any) -> Faults:
    if is_number(value) and not is_multiple(value, divisor):
        yield ValidationError(f"{value!r} is not a multiple of {divisor!r}")


def _unique_items(validator: Validator, wanted: bool, value: Any, schema: Any) -> Faults:
    if not wanted or not isinstance(value, list):
        return
    seen: dict[Any, int] = {}
    for index, one in enumerate(value):
        first = seen.setdefault(canonical(one), index)
        if first != index:
            yield ValidationError(f"has non-unique elements: [{first}] and [{index}] are equal")
            return


def _format(validator: Validator, name: str, value: Any, schema: Any) -> Faults:
    if isinstance(value, str) and (check := CHECKED.get(name)):
        fault = check(value)
        if fault is not None:
            yield ValidationError(f"{value[:80]!r} is no {name}{fault and f': {fault}'}")


_TYPES: TypeChecker = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
    {
        "number": lambda checker, value: is_number(value),
        "integer": lambda checker, value: is_integer(value),
    }
)
_Exact: Any = extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    validators={
        "const": _const,
        "enum": _enum,
        "format": _format,
        "multipleOf": _multiple_of,
        "uniqueItems": _unique_items,
    },
    type_checker=_TYPES,
)
