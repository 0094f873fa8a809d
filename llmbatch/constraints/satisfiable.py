"""Schemas that no answer can keep, found before an engine is asked for one.

Only what is sure is refused. The search holds together all schemas that one value must keep (a
schema, what it refers to, its `allOf`) and goes down what a value must have: required properties
and items. Pure contradictions between patterns, `not` or `if` stay unseen.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Any, NamedTuple

from jsonschema.protocols import Validator

from llmbatch.constraints.members import Members
from llmbatch.constraints.required_parts import RequiredParts
from llmbatch.constraints.schema_walk import Path, Subschema, children, place, resolve
from llmbatch.core.errors import UsageError

_STEPS = 20_000
_TYPES: dict[str, frozenset[str]] = {
    **{name: frozenset([name]) for name in ("array", "boolean", "null", "object", "string")},
    "integer": frozenset(["integer"]),
    "number": frozenset(["integer", "fraction"]),
}
_ALL = frozenset[str]().union(*_TYPES.values())
_SIZES = {
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
    "string": ("minLength", "maxLength"),
}
_IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas")
_CHOICES = ("anyOf", "oneOf")


class Fault(NamedTuple):
    """A place in a schema, and the reason why no value can be there."""

    path: Path
    reason: str


Held = tuple[Subschema, ...]
"""Schemas that one value must keep at once."""


def require_satisfiable(schema: Any, validator: Validator) -> None:
    """Raise UsageError for a schema, or a part of it, that nothing can keep. `schema`: in its plain
    form with exact numbers and `Members`; `validator`: of it."""
    root = Subschema((), schema)
    search = _Search(schema, validator)
    seen: set[str] = set()
    waiting = [root]
    while waiting:
        one = waiting.pop(0)
        if one.pointer in seen or (_is_never(one.schema) and one.path):
            continue
        seen.add(one.pointer)
        if fault := search.endless_reference(one) or _size_fault(one) or search.fault((one,)):
            raise UsageError(f"schema: {place(fault.path)}: {fault.reason}")
        waiting += [*search.targets(one), *_parts(one)]


def fault_of(schema: Any, validator: Validator) -> Fault | None:
    """The reason why nothing at all keeps a schema, if that is sure; see `require_satisfiable`."""
    return _Search(schema, validator).fault((Subschema((), schema),))


def _parts(one: Subschema) -> Iterator[Subschema]:
    """The schemas in one that a value is meant to keep."""
    for child in children(one.schema):
        if child.path[0] not in ("$defs", "definitions", "not", "if"):
            yield Subschema(one.path + child.path, child.schema)


def _is_never(schema: Any) -> bool:
    """True for a schema that is written in order to allow nothing."""
    return schema is False or (
        isinstance(schema, Mapping) and "not" in schema and schema["not"] in (True, {})
    )


class _Search:
    def __init__(self, root: Any, validator: Validator) -> None:
        self._root = root
        self._validator = validator
        self._steps = _STEPS
        self._possible: set[tuple[str, ...]] = set()

    def targets(self, one: Subschema) -> list[Subschema]:
        """The schema that one refers to, if it does."""
        if isinstance(one.schema, Mapping) and isinstance(one.schema.get("$ref"), str):
            return [resolve(self._root, one.schema["$ref"])]
        return []

    def endless_reference(self, start: Subschema) -> Fault | None:
        """The fault of a schema that comes back to itself at one and the same value."""
        seen: set[str] = set()
        waiting = self._in_place(start)
        while waiting:
            one = waiting.pop()
            if one.pointer == start.pointer:
                reason = "refers to itself at the same value, without end; take the $ref out"
                return Fault(start.path, reason)
            if one.pointer not in seen:
                seen.add(one.pointer)
                waiting += self._in_place(one)
        return None

    def _in_place(self, one: Subschema) -> list[Subschema]:
        below = [
            Subschema(one.path + child.path, child.schema)
            for child in children(one.schema)
            if child.path[0] in _IN_PLACE
        ]
        return self.targets(one) + below

    def fault(self, held: Held, stack: tuple[tuple[str, ...], ...] = ()) -> Fault | None:
        """The reason why no value can keep all of `held`, if that is sure."""
        key = tuple(sorted({one.pointer for one in held}))
        self._steps -= 1
        if key in self._possible or self._steps < 0:
            return None
        if key in stack:
            reason = "recursion without end: each value must hold another one; let it be left out"
            return Fault(held[0].path, f"{reason} (required) or be null")
        flat = self._flat(held)
        found = self._own_fault(flat, (*stack, key)) or self._choice_fault(flat, (*stack, key))
        if found is None:
            self._possible.add(key)
        return found

    def _flat(self, held: Held) -> Held:
        """The schemas, those that they refer to, and their `allOf`."""
        flat: dict[str, Subschema] = {}
        waiting = list(held)
        while waiting:
            one = waiting.pop(0)
            if one.pointer in flat:
                continue
            flat[one.pointer] = one
            waiting += self.targets(one)
            if isinstance(one.schema, Mapping):
                waiting += [
                    Subschema((*one.path, "allOf", n), part)
                    for n, part in enumerate(one.schema.get("allOf", ()))
                ]
        return tuple(flat.values())

    def _choice_fault(self, flat: Held, stack: tuple[tuple[str, ...], ...]) -> Fault | None:
        for one in flat:
            for word in _CHOICES:
                branches = one.schema.get(word) if isinstance(one.schema, Mapping) else None
                if not branches:
                    continue
                faults = [
                    self._own_fault(
                        self._flat((*flat, Subschema((*one.path, word, n), branch))), stack
                    )
                    for n, branch in enumerate(branches)
                ]
                if all(faults) and faults[0]:
                    reason = f"no choice can be met; the first: {faults[0].reason}"
                    return Fault((*one.path, word), reason)
        return None

    def _own_fault(self, flat: Held, stack: tuple[tuple[str, ...], ...]) -> Fault | None:
        for one in flat:
            if _is_never(one.schema):
                return Fault(one.path, "allows no value, but one is needed")
        held = tuple(one for one in flat if isinstance(one.schema, Mapping))
        for one in held:
            for word in ("const", "enum"):
                if isinstance(members := one.schema.get(word), Members):
                    return self._members_fault(Subschema((*one.path, word), members), held)
        return self._types_fault(held, stack)

    def _members_fault(self, members: Subschema, held: Held) -> Fault | None:
        values = members.schema.values
        if not values:
            return Fault(members.path, "is empty, so no value is allowed; list the allowed ones")
        others = [self._validator.evolve(schema=one.schema) for one in held]
        if any(all(other.is_valid(value) for other in others) for value in values):
            return None
        one = "its value is" if members.path[-1] == "const" else "none of its values is"
        no = "not " if members.path[-1] == "const" else ""
        return Fault(members.path, f"{one} {no}allowed by the keywords that hold beside it")

    def _types_fault(self, held: Held, stack: tuple[tuple[str, ...], ...]) -> Fault | None:
        left = _ALL
        narrowed: Path = ()
        for one in held:
            if "type" not in one.schema:
                continue
            given = one.schema["type"]
            names = [given] if isinstance(given, str) else given
            left &= frozenset[str]().union(*(_TYPES[name] for name in names))
            if not left:
                first = place(narrowed or one.path)
                return Fault((*one.path, "type"), f"no type is left beside {first}")
            narrowed = (*one.path, "type")
        faults = []
        for name in sorted(left):
            found = self._type_fault(name, held, stack)
            if found is None:
                return None
            faults.append(found)
        return faults[0]

    def _type_fault(
        self, name: str, held: Held, stack: tuple[tuple[str, ...], ...]
    ) -> Fault | None:
        if name in _SIZES:
            low, high = _SIZES[name]
            lows = [one for one in held if low in one.schema]
            highs = [one for one in held if high in one.schema]
            if lows and highs:
                most = max(lows, key=lambda one: one.schema[low])
                least = min(highs, key=lambda one: one.schema[high])
                if most.schema[low] > least.schema[high]:
                    return _contradiction((*most.path, low), (*least.path, high))
        if name in ("integer", "fraction"):
            return _number_fault(held, name == "integer")
        if name not in ("array", "object"):
            return None
        parts = RequiredParts(held, self._validator)
        for path, reason in parts.faults(name):
            return Fault(path, reason)
        for below in parts.needed(name):
            if found := self.fault(below, stack):
                return found
        return None


def _size_fault(one: Subschema) -> Fault | None:
    """The fault of two bounds of one schema that leave nothing, even if it allows other types."""
    if not isinstance(one.schema, Mapping):
        return None
    for low, high in _SIZES.values():
        if low in one.schema and high in one.schema and one.schema[low] > one.schema[high]:
            return _contradiction((*one.path, low), (*one.path, high))
    return _number_fault((one,), whole=one.schema.get("type") == "integer")


def _contradiction(one: Path, other: Path) -> Fault:
    return Fault(one, f"leaves nothing beside {place(other)}; mend one of them")


def _number_fault(held: Held, whole: bool) -> Fault | None:
    """The fault of numeric bounds between which there is no number, or no `whole` one."""
    low = _bound(held, ("minimum", "exclusiveMinimum"), 1)
    high = _bound(held, ("maximum", "exclusiveMaximum"), -1)
    if low is None or high is None:
        return None
    (from_, from_open, at), (to, to_open, beside) = low, high
    empty = from_ > to or (from_ == to and (from_open or to_open))
    steps = [one.schema["multipleOf"] for one in held if "multipleOf" in one.schema]
    steps += [1] if whole else []
    return (
        _contradiction(at, beside)
        if empty
        or any(_no_multiple(Fraction(step), from_, from_open, to, to_open) for step in steps)
        else None
    )


def _no_multiple(
    step: Fraction, low: Fraction, low_open: bool, high: Fraction, high_open: bool
) -> bool:
    first, last = ceil(low / step), floor(high / step)
    first += low_open and first * step == low
    last -= high_open and last * step == high
    return first > last


def _bound(held: Held, words: tuple[str, str], sign: int) -> tuple[Fraction, bool, Path] | None:
    """The tightest of these bounds, True if it is excluded itself, and its place."""
    found = [
        (Fraction(one.schema[word]), n == 1, (*one.path, word))
        for one in held
        for n, word in enumerate(words)
        if isinstance(one.schema.get(word), int | Decimal)
    ]
    return max(found, key=lambda bound: (sign * bound[0], bound[1])) if found else None
