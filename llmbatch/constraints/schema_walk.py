"""The subschemas of a JSON Schema, each with its place, and what a reference points to.

What a schema holds as data (`const`, `enum`, `default`, `examples`) and what unknown keywords hold
is passed over: a name there is no keyword. The keywords of drafts 4 to 2020-12 are known.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

Path = tuple[str | int, ...]
"""The keys and indexes from the root of a schema, or of an answer, to a value in it."""

# Keywords by what they hold: a schema, schemas by name, a list of schemas.
ONE = frozenset(
    {
        *("additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if"),
        *("items", "not", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"),
    }
)
NAMED = frozenset(
    {
        *("$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties"),
        "properties",
    }
)
LISTED = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
# Their schemas hold nothing of an answer by themselves; a reference uses them.
SHELVES = frozenset({"$defs", "definitions"})
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")

_ANCHORS = ("$anchor", "$dynamicAnchor")
_PLAIN_KEY = re.compile(r"[A-Za-z_$][\w$-]*")
_INDEX = re.compile(r"0|[1-9][0-9]*")


class Subschema(NamedTuple):
    """A schema within a schema, and the path to it from the root."""

    path: Path
    schema: Any

    @property
    def pointer(self) -> str:
        """Its JSON pointer (RFC 6901), such as `/properties/a~1b`; empty for the root."""
        return pointer(self.path)

    @property
    def place(self) -> str:
        """Its place for a person to read, such as `$.properties.a`."""
        return place(self.path)


class Reference(NamedTuple):
    """A reference: the subschema that has it, its keyword, its text, such as `#/$defs/a`."""

    holder: Subschema
    keyword: str
    text: str


class UnresolvedError(Exception):
    """A reference points outside of the schema, or to nothing in it."""


def children(schema: Any) -> Iterator[Subschema]:
    """The schemas directly in one; their paths begin at it."""
    if not isinstance(schema, Mapping):
        return
    for keyword, value in schema.items():
        if keyword in LISTED and isinstance(value, list):
            yield from (Subschema((keyword, n), one) for n, one in enumerate(value))
        elif keyword in NAMED and isinstance(value, Mapping):
            # A list in `dependencies` names properties.
            yield from (
                Subschema((keyword, name), one)
                for name, one in value.items()
                if not isinstance(one, list)
            )
        elif keyword in ONE:
            yield Subschema((keyword,), value)


def subschemas(schema: Any) -> Iterator[Subschema]:
    """Every schema in one, itself first, each before those in it. Schemas that stand where no
    keyword expects one come last, if a reference points to them."""
    seen: set[Path] = set()
    waiting = [Subschema((), schema)]
    while waiting:
        found: list[Subschema] = []
        for start in waiting:
            for one in _below(start):
                if one.path not in seen:
                    seen.add(one.path)
                    found.append(one)
                    yield one
        waiting = [
            target
            for reference in references_of(found)
            if (target := _found(schema, reference.text)) and target.path not in seen
        ]


def _below(start: Subschema) -> Iterator[Subschema]:
    stack = [start]
    while stack:
        one = stack.pop()
        yield one
        below = [Subschema(one.path + child.path, child.schema) for child in children(one.schema)]
        stack.extend(reversed(below))


def references(schema: Any) -> Iterator[Reference]:
    """Every reference in a schema; those among data are none."""
    yield from references_of(subschemas(schema))


def references_of(holders: Iterator[Subschema] | list[Subschema]) -> Iterator[Reference]:
    """The references that these subschemas have themselves."""
    for holder in holders:
        if isinstance(holder.schema, Mapping):
            for keyword in REFERENCES:
                if isinstance(text := holder.schema.get(keyword), str):
                    yield Reference(holder, keyword, text)


def resolve(schema: Any, reference: str) -> Subschema:
    """The subschema of `schema`, the root, to which a reference such as `#/$defs/a` or `#anchor`
    points. Raises UnresolvedError."""
    if not reference.startswith("#"):
        raise UnresolvedError(f"{reference!r} points outside the schema")
    fragment = unquote(reference[1:])
    if fragment and not fragment.startswith("/"):
        return _anchored(schema, fragment, reference)
    path: Path = ()
    value = schema
    for token in fragment.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and name in value:
            path, value = (*path, name), value[name]
        elif isinstance(value, list) and _INDEX.fullmatch(name) and int(name) < len(value):
            path, value = (*path, int(name)), value[int(name)]
        else:
            raise UnresolvedError(f"{reference!r} points to nothing")
    return Subschema(path, value)


def _anchored(schema: Any, name: str, reference: str) -> Subschema:
    for one in _below(Subschema((), schema)):
        if isinstance(one.schema, Mapping):
            names = [one.schema.get(keyword) for keyword in _ANCHORS]
            # In drafts 4 to 7 an anchor is an id that is a fragment alone.
            ids = [one.schema.get(keyword) for keyword in ("$id", "id")]
            if name in names or f"#{name}" in ids:
                return one
    raise UnresolvedError(f"{reference!r} points to nothing")


def _found(schema: Any, reference: str) -> Subschema | None:
    try:
        return resolve(schema, reference)
    except UnresolvedError:
        return None


def pointer(path: Path) -> str:
    """The JSON pointer (RFC 6901) of a path; empty for the root."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def place(path: Path) -> str:
    """A path for a person to read, such as `$.properties.a.anyOf[0]`."""
    return "$" + "".join(map(_step, path))


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if _PLAIN_KEY.fullmatch(part) else f"[{part!r}]"
