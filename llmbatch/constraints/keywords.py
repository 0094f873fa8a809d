"""The keywords of JSON Schema, drafts 4 to 2020-12, and those that misspelt ones are meant for."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from llmbatch.constraints.schema_walk import (
    LISTED,
    NAMED,
    ONE,
    REFERENCES,
    Path,
    Subschema,
    UnresolvedError,
    place,
    references,
    resolve,
    subschemas,
)
from llmbatch.core.errors import UsageError, nearest

_NUMBERS = (int, float)
# What the value of a keyword can be: a misspelt one has such a value, an annotation may not.
_VALUES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(REFERENCES, (str,)),
    **dict.fromkeys(ONE, (dict, bool)),
    **dict.fromkeys(NAMED, (dict,)),
    **dict.fromkeys(LISTED, (list,)),
    **dict.fromkeys(("maximum", "minimum", "multipleOf"), _NUMBERS),
    **dict.fromkeys(("exclusiveMaximum", "exclusiveMinimum"), (*_NUMBERS, bool)),
    **dict.fromkeys(("maxLength", "minLength", "maxItems", "minItems"), _NUMBERS),
    **dict.fromkeys(("maxProperties", "minProperties", "maxContains", "minContains"), _NUMBERS),
    "const": (object,),
    "dependencies": (dict,),
    "dependentRequired": (dict,),
    "enum": (list,),
    "format": (str,),
    "items": (dict, bool, list),
    "pattern": (str,),
    "required": (list,),
    "type": (str, list),
    "uniqueItems": (bool,),
}
CONSTRAINING = frozenset(_VALUES) - {"$defs", "definitions", "contentSchema"}
"""The keywords that can refuse an answer."""

_ANNOTATIONS = frozenset(
    {
        *("$anchor", "$comment", "$dynamicAnchor", "$id", "$recursiveAnchor", "$schema"),
        *("$vocabulary", "contentEncoding", "contentMediaType", "default", "deprecated"),
        *("description", "examples", "id", "readOnly", "title", "writeOnly"),
        # Those of OpenAPI, which schemas are often taken from.
        *("discriminator", "example", "externalDocs", "nullable", "xml"),
    }
)
_MOST_NAMED = 3  # places that a notice names


def check_names(schema: Any) -> list[str]:
    """The notices about keywords that nobody knows. Raises UsageError for one that is misspelt."""
    unknown: list[str] = []
    for path, value in _unknown(schema):
        name = str(path[-1])
        if meant := misspelt(name, value):
            raise UsageError(
                f"schema: {place(path)}: unknown keyword {name!r} (did you mean {meant!r}?); mend "
                "it, or call an annotation x-..."
            )
        unknown.append(place(path) + nearest(name, CONSTRAINING))
    if not unknown:
        return []
    more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
    named = ", ".join(unknown[:_MOST_NAMED])
    return [f"schema: not a keyword of JSON Schema, so nothing is held to it: {named}{more}"]


def _unknown(schema: Any) -> Iterator[tuple[Path, Any]]:
    """The unknown keywords, but for those under which schemas are that a reference points to."""
    shelves = {target.path[:depth] for target in _targets(schema) for depth in (1, 2)}
    for one in subschemas(schema):
        if isinstance(one.schema, Mapping):
            for name, value in one.schema.items():
                known = name in _VALUES or name in _ANNOTATIONS or name.startswith("x-")
                if not known and (*one.path, name) not in shelves:
                    yield (*one.path, name), value


def _targets(schema: Any) -> Iterator[Subschema]:
    for reference in references(schema):
        with suppress(UnresolvedError):
            yield resolve(schema, reference.text)


def idle_keywords(schema: Mapping[str, Any]) -> list[str]:
    """The first keywords of a schema that was meant to constrain something and does not: it has
    unknown ones or definitions, and none that can refuse an answer."""
    if all(name in _ANNOTATIONS for name in schema) or any(name in CONSTRAINING for name in schema):
        return []
    return list(schema)[:5]


def misspelt(name: str, value: Any) -> str | None:
    """The keyword that `name` is a misspelling of, judged by its letters and its value."""
    return next((known for known in _meant(name) if isinstance(value, _VALUES[known])), None)


def _meant(name: str) -> Iterator[str]:
    plain = _plain(name)
    for known in _VALUES:
        # One wrong letter in five or so; more of them, or one in three, make another word.
        allowed = max(len(known) // 5, len(known) > 3)
        if abs(len(known) - len(plain)) <= allowed and _edits(plain, _plain(known)) <= allowed:
            yield known


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").replace("$", "").casefold()


def _edits(one: str, other: str) -> int:
    """The edits between two words: a letter more, less or another, or two neighbours exchanged."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        last, row = row, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before = last
    return row[-1]
