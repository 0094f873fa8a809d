"""Copies of objects and arrays for a backend.

Where a schema names properties, or places of an array, and says nothing of further ones, there
are none: a grammar that lets a model invent keys helps no one, and
`"additionalProperties": true` (or `"items": true`) asks for them.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from llmbatch.constraints.copies.backend import Backend
from llmbatch.constraints.copies.merging import both
from llmbatch.constraints.patterns import translate
from llmbatch.constraints.patterns.errors import PatternError

Copy = Callable[[Any, str], Any]
"""Copies the schema of a part, for answers at a place in the part."""
Leave = Callable[[str], None]
"""Notes a keyword that only the check holds."""


class ObjectCopy:
    """The making of the copy of one object."""

    def __init__(self, schema: Mapping[str, Any], backend: Backend, copy: Copy, leave: Leave):
        self._schema, self._backend, self._copy, self._leave = schema, backend, copy, leave
        self._required: list[str] = list(schema.get("required", ()))
        self._named: dict[str, Any] = dict(schema.get("properties", {}))
        self._patterns: dict[str, Any] = dict(schema.get("patternProperties", {}))
        self._rest: Any = schema.get("additionalProperties")
        self._matchers = {pattern: _matcher(pattern) for pattern in self._patterns}

    def make(self) -> Any:
        """The copy; False if there is no such object."""
        says_rest = self._rest is not None or "propertyNames" in self._schema
        names_some = bool(self._named or self._patterns or "properties" in self._schema)
        for name in self._required:
            if name not in self._named:
                self._named[name] = self._unnamed(name)
        self._apply_patterns()
        self._apply_names()
        low = int(self._schema.get("minProperties", 0))
        if self._rest is None:
            is_open = says_rest or not names_some or low > len(self._named)
            self._rest = is_open
        if any(self._named[name] is False for name in self._required):
            return False
        return self._written(low)

    def _unnamed(self, name: str) -> Any:
        """The schema of a property that has no name of its own in the schema."""
        found = any(matches and matches(name) for matches in self._matchers.values())
        return True if found or self._rest is None else self._rest

    def _apply_patterns(self) -> None:
        """Let the patterns hold for named properties; leave those that the backend cannot hold."""
        for pattern, part in self._patterns.items():
            matches = self._matchers[pattern]
            if matches is None:
                self._leave("patternProperties")
                continue
            for name in filter(matches, self._named):
                self._named[name] = both(self._named[name], part)
        if self._patterns and not self._can_hold(list(self._patterns)):
            self._leave("patternProperties")
            self._patterns, self._rest = {}, True

    def _can_hold(self, patterns: list[str]) -> bool:
        return (
            self._backend.pattern_names and len(patterns) == 1 and _matcher(patterns[0]) is not None
        )

    def _apply_names(self) -> None:
        """`propertyNames` as the properties that they allow, or as a pattern of names."""
        names = self._schema.get("propertyNames", True)
        if names is True or names == {}:
            return
        allowed = _finite(names)
        if allowed is not None:
            for name in allowed:
                self._named.setdefault(name, self._unnamed(name))
            self._named = {name: part for name, part in self._named.items() if name in allowed} | {
                name: False for name in self._required if name not in allowed
            }
            self._patterns, self._rest = {}, False
            return
        pattern = names.get("pattern") if isinstance(names, dict) else None
        is_all = isinstance(names, dict) and set(names) <= {"pattern", "type"}
        if is_all and pattern and not self._patterns and self._can_hold([pattern]):
            self._patterns = {pattern: True if self._rest is None else self._rest}
            self._rest = False
            matches = _matcher(pattern)
            self._named = {
                name: part if matches is None or matches(name) else False
                for name, part in self._named.items()
            }
        else:
            self._leave("propertyNames")

    def _written(self, low: int) -> Any:
        named: dict[str, Any] = {}
        for name, part in self._named.items():
            made = False if part is False else self._copy(part, name)
            if made is not False:
                named[name] = made
            elif name in self._required:
                return False
            elif self._rest is not False and self._backend.absent_names:
                named[name] = False
            elif self._rest is not False:
                self._leave("properties")
        rest = False if self._rest is False else self._copy(self._rest, "*")
        copy: dict[str, Any] = {"type": "object", "properties": named}
        if self._required:
            copy["required"] = [name for name in named if name in self._required]
        if self._patterns:
            ((pattern, part),) = self._patterns.items()
            made = self._copy(part, "*")
            grammar = translate.search(pattern).grammar
            copy["patternProperties"] = {f"^(?:{grammar})$": made}
        return copy | {"additionalProperties": rest} | self._counts(copy, low)

    def _counts(self, copy: Mapping[str, Any], low: int) -> dict[str, int]:
        """The numbers of properties, where they say something."""
        named, required = copy["properties"], copy.get("required", [])
        is_closed = self._rest is False and not self._patterns
        counts = {"minProperties": low} if low > len(required) else {}
        high = self._schema.get("maxProperties")
        if high is not None and not (is_closed and len(named) <= high):
            counts["maxProperties"] = int(high)
        if counts and len(required) < len(named) and not self._backend.optional_counts:
            for keyword in counts:
                self._leave(keyword)
            return {}
        return counts


def _matcher(pattern: str) -> Callable[[str], bool] | None:
    """Finds a pattern in a name; None for one that cannot be translated."""
    try:
        whole = re.compile(translate.search(pattern).check)
    except PatternError:
        return None
    return lambda name: whole.fullmatch(name) is not None


def _finite(names: Any) -> list[str] | None:
    """The names that a schema of names allows, where it lists them."""
    if names is False:
        return []
    if not isinstance(names, dict):
        return None
    listed = [names["const"]] if "const" in names else names.get("enum")
    if listed is None or set(names) - {"const", "enum", "type"}:
        return None
    return [name for name in listed if isinstance(name, str)]


def array(schema: Mapping[str, Any], copy: Copy, leave: Leave) -> Any:
    """The copy of an array; False if there is none."""
    places = [copy(part, f"[{n}]") for n, part in enumerate(schema.get("prefixItems", ()))]
    low, high = int(schema.get("minItems", 0)), schema.get("maxItems")
    rest: Any = schema.get("items")
    if rest is None:
        rest = not places or low > len(places)
    if False in places:
        places, rest = places[: places.index(False)], False
    rest = False if rest is False else copy(rest, "[]")
    if rest is False:
        high = len(places) if high is None else min(high, len(places))
    if high is not None and low > high:
        return False
    if schema.get("uniqueItems") and (high is None or high > 1):
        leave("uniqueItems")
    made: dict[str, Any] = {"type": "array"}
    if places and high is not None and high < len(places):
        places, rest = places[: int(high)], False
    if places:
        made["prefixItems"] = places
    made["items"] = rest
    if low:
        made["minItems"] = low
    if high is not None and not (rest is False and high >= len(places)):
        made["maxItems"] = int(high)
    return made
