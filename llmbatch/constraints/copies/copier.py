"""The copy of a schema for a backend: never narrower, and wider only where that is noted.

Every schema is made flat (no `allOf`, no siblings of `$ref`), conditions become alternatives,
alternatives get their siblings, and what remains is written for each type with the keywords that
the backend holds. What it does not hold is left out, and noted with the place of the answer.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from jsonschema.validators import Draft202012Validator

from llmbatch.constraints import schema_walk
from llmbatch.constraints.copies import containers, leaves, rewriting
from llmbatch.constraints.copies.backend import Backend
from llmbatch.constraints.copies.containers import ObjectCopy
from llmbatch.constraints.copies.flattening import Flattener
from llmbatch.constraints.copies.merging import both
from llmbatch.constraints.patterns.keywords import put_sources

_KINDS = ("null", "boolean", "object", "array", "number", "string")
_BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_OF_KIND = {
    "string": {"pattern", "format", "minLength", "maxLength"},
    "number": _BOUNDS,
    "integer": _BOUNDS,
    "array": {"items", "prefixItems", "minItems", "maxItems", "uniqueItems"},
    "object": {
        *("properties", "patternProperties", "additionalProperties", "required"),
        *("propertyNames", "minProperties", "maxProperties"),
    },
}
# Held by no backend, in no other words.
_NEVER = {
    *("contains", "minContains", "maxContains", "unevaluatedProperties", "unevaluatedItems", "not"),
}
_MOST_SCHEMAS = 5_000


class CheckOnly(NamedTuple):
    """A keyword that only the check holds, and the place of the answer, such as `$.tags[]`."""

    place: str
    keyword: str


class TooLargeError(Exception):
    """The copy would have too many schemas."""


class Copier:
    """Copies one schema. `left`: what only the check holds, without repetitions, in order;
    `misprints`: True if numbers of an enum are written with more digits than the schema has."""

    def __init__(self, root: Any, backend: Backend) -> None:
        self._backend = backend
        self._flattener = Flattener(root)
        checked = deepcopy(root)
        put_sources(checked)
        self._validator = Draft202012Validator(checked)
        self._active: set[str] = set()
        self._names: dict[str, str] = {}
        self._shared: dict[str, Any] = {}
        self._schemas = 0
        self._left: dict[CheckOnly, None] = {}
        self.misprints = False
        self._root = root

    @property
    def left(self) -> tuple[CheckOnly, ...]:
        return tuple(self._left)

    def make(self) -> Any:
        """The copy; False if no answer is of the schema."""
        copy = self._copy(self._root, "$")
        if copy is False or not self._shared:
            return copy
        return copy | {"$defs": {self._names[key]: part for key, part in self._shared.items()}}

    def _leave(self, place: str, keyword: str) -> None:
        self._left[CheckOnly(place, keyword)] = None

    def _copy(self, schema: Any, place: str) -> Any:
        if isinstance(schema, bool):
            return {} if schema else False
        key = json.dumps(schema, sort_keys=True)
        if key in self._active or key in self._shared:
            return {"$ref": f"#/$defs/{self._name(key)}"}
        self._schemas += 1
        if self._schemas > _MOST_SCHEMAS:
            raise TooLargeError
        target = self._flattener.target(schema)
        if target is not None and target is not schema and not isinstance(target, bool):
            self._name(json.dumps(target, sort_keys=True))
            return self._copy(target, place)
        self._active.add(key)
        copy = self._any(self._flattener.flat(schema), place)
        self._active.discard(key)
        if key not in self._names or copy is False:
            return copy
        self._shared[key] = copy
        return {"$ref": f"#/$defs/{self._names[key]}"}

    def _name(self, key: str) -> str:
        return self._names.setdefault(key, f"s{len(self._names)}")

    def _any(self, flat: Any, place: str) -> Any:
        """The copy of a flat schema."""
        if flat is False:
            return False
        if "enum" in flat:
            return self._enum(flat, place)
        flat, alternatives = self._rewritten(dict(flat), place)
        for keyword in ("anyOf", "oneOf"):
            if keyword in flat:
                return self._branches(flat, keyword, alternatives, place)
        if alternatives:
            return self._copy(both(flat, *alternatives), place)
        for keyword in _NEVER & flat.keys():
            self._leave(place, keyword)
        self._leave_unmerged(flat, place)
        return self._kinds(flat, place)

    def _leave_unmerged(self, flat: Mapping[str, Any], place: str) -> None:
        for part in flat.get("allOf", ()):
            for keyword in part:
                if keyword not in ("pattern", "format", "multipleOf"):
                    self._leave(place, keyword)

    def _enum(self, flat: dict[str, Any], place: str) -> Any:
        """The values that the rest of the schema allows."""
        flat = deepcopy(flat)
        put_sources(flat)
        whole = self._validator.evolve(schema=flat)
        values = [value for value in flat["enum"] if whole.is_valid(value)]
        told = [value for value in values if leaves.can_spell(value, self._backend)]
        self.misprints |= any(leaves.is_misprinted(value, self._backend) for value in told)
        if len(told) == len(values):
            return {"enum": values} if values else False
        self._leave(place, "const" if len(flat["enum"]) == 1 else "enum")
        kinds = sorted({_kind(value) for value in values if value not in told})
        others = [{"enum": told}] if told else []
        return {"anyOf": [*others, {"type": kinds if len(kinds) > 1 else kinds[0]}]}

    def _rewritten(self, flat: dict[str, Any], place: str) -> tuple[dict[str, Any], list[Any]]:
        """The schema without conditions, and the alternatives that they are."""
        alternatives: list[Any] = []
        if "if" in flat:
            made = rewriting.condition(flat)
            for keyword in ("if", "then", "else"):
                flat.pop(keyword, None)
            if made is None:
                self._leave(place, "if")
            else:
                alternatives.append(made)
        for keyword in ("dependentRequired", "dependentSchemas"):
            if keyword in flat:
                found = rewriting.dependencies(flat, keyword)
                del flat[keyword]
                if found is None:
                    self._leave(place, keyword)
                else:
                    alternatives += found
        if "not" in flat:
            made = rewriting.negated(flat["not"])
            if made is not None:
                del flat["not"]
                alternatives.append(made)
        return flat, alternatives

    def _branches(self, flat: dict[str, Any], keyword: str, more: list[Any], place: str) -> Any:
        """Alternatives, each with what stands beside them."""
        branches = flat.pop(keyword)
        if keyword == "oneOf" and not self._exclude_each_other(branches):
            self._leave(place, "oneOf")
        copies: list[Any] = []
        for branch in branches:
            copy = self._copy(both(flat, branch, *more), place)
            for each in [copy] if copy is False or set(copy) != {"anyOf"} else copy["anyOf"]:
                if each is not False and each not in copies:
                    copies.append(each)
        if {} in copies:
            return {}
        if len(copies) <= 1:
            return copies[0] if copies else False
        return {"anyOf": copies}

    def _exclude_each_other(self, branches: list[Any]) -> bool:
        flat = [self._flattener.flat(branch) for branch in branches]
        return all(
            rewriting.are_disjoint(one, other)
            for n, one in enumerate(flat)
            for other in flat[n + 1 :]
        )

    def _kinds(self, flat: Mapping[str, Any], place: str) -> Any:
        """The copy of each type that the schema allows."""
        kinds = flat.get("type") or list(_KINDS)
        kinds = [kind for kind in kinds if kind != "integer" or "number" not in kinds]
        said = {keyword for part in (flat, *flat.get("allOf", ())) for keyword in part}
        free = [kind for kind in kinds if not said & _OF_KIND.get(kind, set())]
        if set(free) == set(_KINDS):
            return {}
        copies = [self._of_kind(flat, kind, place) for kind in kinds if kind not in free]
        # A free object or array is written out: the backends differ on what the bare type means.
        for kind in ("object", "array"):
            if kind in free:
                copies.append(self._of_kind({}, kind, place))
        simple = [kind for kind in free if kind not in ("object", "array")]
        if simple:
            copies.append({"type": simple if len(simple) > 1 else simple[0]})
        copies = [copy for copy in copies if copy is not False]
        if len(copies) <= 1:
            return copies[0] if copies else False
        return {"anyOf": copies}

    def _of_kind(self, flat: Mapping[str, Any], kind: str, place: str) -> Any:
        def leave(keyword: str) -> None:
            self._leave(place, keyword)

        def part(schema: Any, step: str) -> Any:
            return self._copy(schema, place + _step(step))

        if kind == "object":
            return ObjectCopy(flat, self._backend, part, leave).make()
        if kind == "array":
            return containers.array(
                flat, lambda schema, step: self._copy(schema, place + step), leave
            )
        if kind == "string":
            copy, left = leaves.string(flat, self._backend)
        else:
            copy, left = leaves.number(flat, kind, self._backend)
        for keyword in left:
            leave(keyword)
        return copy


def _step(name: str) -> str:
    return ".*" if name == "*" else schema_walk.place((name,))[1:]


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "array"
    return "integer" if isinstance(value, int) else "number"
