"""Schemas that no answer can keep, found before an engine is asked for one.

Only what is sure is refused. The search holds together all schemas that one value must keep (a
schema, what it refers to, its `allOf`) and looks at what a value must have: required properties and
items. Pure contradictions between patterns, `not` or `if` stay unseen.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from jsonschema.protocols import Validator

from llmbatch.constraints.bounds import (
    SIZES,
    Fault,
    Held,
    number_fault,
    own_fault,
    sizes_fault,
)
from llmbatch.constraints.members import Members
from llmbatch.constraints.required_parts import RequiredParts
from llmbatch.constraints.schema_walk import Path, Subschema, children, place, resolve
from llmbatch.core.errors import UsageError

# So many looks at schemas are taken; what is not found by then is possible.
_STEPS = 50_000
_TYPES: dict[str, frozenset[str]] = {
    **{name: frozenset([name]) for name in ("array", "boolean", "null", "object", "string")},
    "integer": frozenset(["integer"]),
    "number": frozenset(["integer", "fraction"]),
}
_ALL = frozenset[str]().union(*_TYPES.values())
_IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas")
_CHOICES = ("anyOf", "oneOf")


Key = frozenset[Path]


class Blocked(NamedTuple):
    """Schemas of parts of a value: one of these must be known to be possible before the value."""

    alternatives: tuple[Held, ...]


Result = Fault | Blocked | None
"""None: a value is possible."""


def require_satisfiable(schema: Any, validator: Validator) -> None:
    """Raise UsageError for a schema, or a part of it, that nothing can keep. `schema`: in its plain
    form with exact numbers and `Members`; `validator`: of it."""
    search = _Search(schema, validator)
    parts = _meant(Subschema((), schema), search)
    for one in parts:
        if fault := search.endless_reference(one) or own_fault(one):
            raise _error(fault)
    search.settle([(one,) for one in parts])
    for one in parts:
        if fault := search.fault((one,)):
            raise _error(fault)


def _error(fault: Fault) -> UsageError:
    return UsageError(f"schema: {place(fault.path)}: {fault.reason}")


def fault_of(schema: Any, validator: Validator) -> Fault | None:
    """The reason why nothing at all keeps a schema, if that is sure; see `require_satisfiable`."""
    search, root = _Search(schema, validator), (Subschema((), schema),)
    search.settle([root])
    return search.fault(root)


def _meant(root: Subschema, search: "_Search") -> list[Subschema]:
    """The schemas that values are meant to keep: not those that are written to allow nothing, nor
    those of `not` and `if`, nor definitions that nothing refers to."""
    found: dict[Path, Subschema] = {}
    waiting = deque([root])
    while waiting:
        one = waiting.popleft()
        if one.path not in found and not (one.path and _is_never(one.schema)):
            found[one.path] = one
            waiting += [*search.targets(one), *_parts(one)]
    return list(found.values())


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
    """Finds what is possible from the bottom up: first what needs nothing else, then what needs
    only that, until there is no more."""

    def __init__(self, root: Any, validator: Validator) -> None:
        self._root = root
        self._validator = validator
        self._steps = _STEPS
        self._possible: set[Key] = set()

    def targets(self, one: Subschema) -> list[Subschema]:
        """The schema that one refers to, if it does."""
        if isinstance(one.schema, Mapping) and isinstance(one.schema.get("$ref"), str):
            return [resolve(self._root, one.schema["$ref"])]
        return []

    def endless_reference(self, start: Subschema) -> Fault | None:
        """The fault of a schema that comes back to itself at one and the same value."""
        seen: set[Path] = set()
        waiting = self._in_place(start)
        while waiting:
            one = waiting.pop()
            if one.path == start.path:
                reason = "refers to itself at the same value, without end; take the $ref out"
                return Fault(start.path, reason)
            if one.path not in seen:
                seen.add(one.path)
                waiting += self._in_place(one)
        return None

    def _in_place(self, one: Subschema) -> list[Subschema]:
        below = [
            Subschema(one.path + child.path, child.schema)
            for child in children(one.schema)
            if child.path[0] in _IN_PLACE
        ]
        return self.targets(one) + below

    def settle(self, wanted: list[Held]) -> None:
        """Find which of these are possible, and of those that they need."""
        # Parts come after what they are in, and are needed first: the last one is taken first.
        waiting = list(wanted)
        seen = set(map(_key, wanted))
        dependent: dict[Key, list[Held]] = {}
        while waiting and self._steps > 0:
            self._steps -= 1
            held = waiting.pop()
            if _key(held) in self._possible:
                continue
            result = self._result(held)
            if result is None:
                self._possible.add(_key(held))
                waiting += dependent.pop(_key(held), ())
            elif isinstance(result, Blocked):
                for needed in result.alternatives:
                    dependent.setdefault(_key(needed), []).append(held)
                    if _key(needed) not in seen:
                        seen.add(_key(needed))
                        waiting.append(needed)

    def fault(self, held: Held) -> Fault | None:
        """The reason why no value can keep all of `held`, which were settled."""
        seen: set[Key] = set()
        while self._steps > 0 and _key(held) not in self._possible:
            if _key(held) in seen:
                reason = "recursion without end: each value must hold another one; let it be left"
                return Fault(held[0].path, f"{reason} out (required) or be null")
            seen.add(_key(held))
            result = self._result(held)
            if not isinstance(result, Blocked):
                return result
            held = result.alternatives[0]
        return None

    def _result(self, held: Held) -> Result:
        flat = self._flat(held)
        return self._own_result(flat) or self._choice_result(flat)

    def _flat(self, held: Held) -> Held:
        """The schemas, those that they refer to, and their `allOf`."""
        flat: dict[Path, Subschema] = {}
        waiting = list(held)
        while waiting:
            one = waiting.pop(0)
            if one.path in flat:
                continue
            flat[one.path] = one
            waiting += self.targets(one)
            if isinstance(one.schema, Mapping):
                waiting += [
                    Subschema((*one.path, "allOf", n), part)
                    for n, part in enumerate(one.schema.get("allOf", ()))
                ]
        return tuple(flat.values())

    def _choice_result(self, flat: Held) -> Result:
        for one in flat:
            for word in _CHOICES:
                branches = one.schema.get(word) if isinstance(one.schema, Mapping) else None
                if not branches:
                    continue
                results: list[Result] = []
                for n, branch in enumerate(branches):
                    choice = Subschema((*one.path, word, n), branch)
                    results.append(self._own_result(self._flat((*flat, choice))))
                    if results[-1] is None:
                        break
                else:
                    return _blocked(results) or _no_choice(results, (*one.path, word))
        return None

    def _own_result(self, flat: Held) -> Result:
        for one in flat:
            if _is_never(one.schema):
                return Fault(one.path, "allows no value, but one is needed")
        held = tuple(one for one in flat if isinstance(one.schema, Mapping))
        for one in held:
            for word in ("const", "enum"):
                if isinstance(members := one.schema.get(word), Members):
                    return self._members_fault(Subschema((*one.path, word), members), held)
        return self._types_result(held)

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

    def _types_result(self, held: Held) -> Result:
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
        results = []
        # Those that need nothing else come first.
        for name in sorted(left, key=lambda name: (name in ("array", "object"), name)):
            results.append(self._type_result(name, held))
            if results[-1] is None:
                return None
        return _blocked(results) or results[0]

    def _type_result(self, name: str, held: Held) -> Result:
        if name in SIZES and (found := sizes_fault(held, *SIZES[name])):
            return found
        if name in ("integer", "fraction"):
            return number_fault(held, name == "integer")
        if name not in ("array", "object"):
            return None
        parts = RequiredParts(held, self._validator)
        for path, reason in parts.faults(name):
            return Fault(path, reason)
        unknown = (one for one in parts.needed(name) if _key(one) not in self._possible)
        first = next(unknown, None)
        return None if first is None else Blocked((first,))


def _key(held: Held) -> Key:
    return frozenset(one.path for one in held)


def _blocked(results: list[Result]) -> Blocked | None:
    """The obstacle of alternatives of which none is possible yet, unless none ever is."""
    parts = [held for one in results if isinstance(one, Blocked) for held in one.alternatives]
    return Blocked(tuple(parts)) if parts else None


def _no_choice(results: list[Result], path: Path) -> Fault:
    first = results[0]
    assert isinstance(first, Fault)
    return Fault(path, f"no choice can be met; the first: {first.reason}")
