"""The conjunction of schemas as one schema: what `allOf` and the siblings of `$ref` mean.

A merged schema has no `$ref` and no `allOf` of its own, but for keywords that do not merge, such as
a second pattern: each of those is an element of `allOf`.
"""

from collections.abc import Callable, Mapping
from typing import Any

_OBJECT = ("properties", "patternProperties", "additionalProperties")
_ARRAY = ("prefixItems", "items")
# Keywords that mean something only together.
_UNITS = (
    ("if", "then", "else"),
    ("contains", "minContains", "maxContains"),
)


def _union(ours: list[Any], theirs: list[Any]) -> list[Any]:
    return [*ours, *(one for one in theirs if one not in ours)]


_RULES: dict[str, Callable[[Any, Any], Any]] = {
    "required": _union,
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
    "propertyNames": lambda ours, theirs: both(ours, theirs),  # noqa: PLW0108
    "uniqueItems": lambda ours, theirs: ours or theirs,
}


def both(*schemas: Any) -> Any:
    """The schema of what each of these allows; they are merged when it is copied."""
    found: list[Any] = []
    for schema in schemas:
        if schema is False:
            return False
        if schema is not True and schema != {} and schema not in found:
            found.append(schema)
    if not found:
        return {}
    return found[0] if len(found) == 1 else {"allOf": found}


def types_of(schema: Mapping[str, Any]) -> list[str] | None:
    """The types that a schema names; None if it names none."""
    named = schema.get("type")
    return [named] if isinstance(named, str) else named


def merge(ours: Any, theirs: Any) -> Any:
    """The conjunction of two schemas without `$ref` and `allOf`; False if their types exclude each
    other."""
    if ours is False or theirs is False:
        return False
    if not ours or not theirs:
        return dict(ours or theirs)
    kinds = _common_types(types_of(ours), types_of(theirs))
    if kinds == []:
        return False
    merged: dict[str, Any] = {} if kinds is None else {"type": kinds}
    left = [*ours.get("allOf", ()), *theirs.get("allOf", ())]
    left += _merge_objects(merged, ours, theirs)
    _merge_arrays(merged, ours, theirs)
    left += _merge_units(merged, ours, theirs)
    done = {"type", "allOf", *_OBJECT, *_ARRAY, *(name for unit in _UNITS for name in unit)}
    for keyword in [*ours, *(name for name in theirs if name not in ours)]:
        if keyword not in done:
            left += _merge_keyword(merged, keyword, ours, theirs)
    return merged | ({"allOf": left} if left else {})


def _common_types(ours: list[str] | None, theirs: list[str] | None) -> list[str] | None:
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    common = [kind for kind in ours if kind in theirs]
    for some, others in ((ours, theirs), (theirs, ours)):
        if "integer" in some and "number" in others and "integer" not in common:
            common += [] if "number" in common else ["integer"]
    return common


def _merge_keyword(
    merged: dict[str, Any], keyword: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Put a keyword into `merged`; what does not merge is returned."""
    if keyword not in ours or keyword not in theirs or ours[keyword] == theirs[keyword]:
        merged[keyword] = ours.get(keyword, theirs.get(keyword))
    elif keyword in _RULES:
        merged[keyword] = _RULES[keyword](ours[keyword], theirs[keyword])
    else:
        merged[keyword] = ours[keyword]
        return [{keyword: theirs[keyword]}]
    return []


def _merge_units(
    merged: dict[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> list[dict[str, Any]]:
    left = []
    for unit in _UNITS:
        own, other = (
            {name: schema[name] for name in unit if name in schema} for schema in (ours, theirs)
        )
        merged.update(own or other)
        if own and other and own != other:
            left.append(other)
    return left


def _merge_objects(
    merged: dict[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> list[dict[str, Any]]:
    own, other = (
        {name: schema[name] for name in _OBJECT if name in schema} for schema in (ours, theirs)
    )
    if not own or not other or own == other:
        merged.update(own or other)
        return []
    if _patterns_meet_rest(own, other) or _patterns_meet_rest(other, own):
        merged.update(own)
        return [other]
    named: dict[str, Any] = {}
    for name in _union([*own.get("properties", ())], [*other.get("properties", ())]):
        named[name] = both(*(part for side in (own, other) for part in _for_name(side, name)))
    patterns = dict(own.get("patternProperties", {}))
    for pattern, schema in other.get("patternProperties", {}).items():
        patterns[pattern] = both(patterns.get(pattern, True), schema)
    rest = [side["additionalProperties"] for side in (own, other) if "additionalProperties" in side]
    merged["properties"] = named
    if patterns:
        merged["patternProperties"] = patterns
    if rest:
        merged["additionalProperties"] = both(*rest)
    return []


def _patterns_meet_rest(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """True where a name that a pattern of one matches may be an additional one of the other."""
    rest = other.get("additionalProperties", True)
    ours, theirs = (side.get("patternProperties") for side in (one, other))
    return bool(ours) and rest not in (True, {}) and ours != theirs


def _for_name(side: Mapping[str, Any], name: str) -> list[Any]:
    """The schemas that one side has for a property. Patterns are left to the copy, which applies
    them all."""
    if name in side.get("properties", {}):
        return [side["properties"][name]]
    return [side["additionalProperties"]] if "additionalProperties" in side else []


def _merge_arrays(
    merged: dict[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> None:
    own, other = ours.get("prefixItems", []), theirs.get("prefixItems", [])
    places = []
    for n in range(max(len(own), len(other))):
        parts = [
            prefix[n] if n < len(prefix) else side.get("items", True)
            for prefix, side in ((own, ours), (other, theirs))
        ]
        places.append(both(*parts))
    if places:
        merged["prefixItems"] = places
    rest = [side["items"] for side in (ours, theirs) if "items" in side]
    if rest:
        merged["items"] = both(*rest)
