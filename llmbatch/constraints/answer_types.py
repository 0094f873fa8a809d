"""The types of the values in a schema's answers, at any depth, as a table of SQL has them.

They follow from the kinds of values that the schema allows, as those of columns do (see
`column_types`). What may be of several kinds, or has no named properties, is JSON.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from llmbatch.constraints.column_types import ANY, Kinds, column_type, kinds_of
from llmbatch.constraints.schema_walk import UnresolvedError, resolve

AnswerType = str | dict[str, Any]
"""A type as JSON: "text", "integer", "number", "boolean" or "json" (a text that holds it);
{"list": type}; or {"struct": {name: type}}."""

JSON = "json"
_DEEPEST = 12
_NULL = Kinds(["null"])
_BRANCHES = ("allOf", "anyOf", "oneOf")


def type_of(schema: Mapping[str, Any]) -> AnswerType:
    """The type of the answers to a schema."""
    try:
        return _type(schema, schema, 0)
    except RecursionError:
        return JSON


def _type(root: Mapping[str, Any], part: Any, depth: int) -> AnswerType:
    kinds = kinds_of(root, part)
    # Without `type` objects are expected where properties are named.
    is_object = kinds == ANY or kinds - _NULL == Kinds(["object"])
    if depth < _DEEPEST and is_object and (named := _properties(root, part)):
        return {"struct": {name: _type(root, one, depth + 1) for name, one in named.items()}}
    if depth < _DEEPEST and kinds - _NULL == Kinds(["array"]):
        items = _items(root, part)
        return {"list": JSON if items is None else _type(root, items, depth + 1)}
    return column_type(kinds)


def _properties(root: Mapping[str, Any], part: Any) -> dict[str, Any]:
    """The schemas of the properties by name; none where two names are one to SQL."""
    found: dict[str, list[Any]] = {}
    for declared in _said(root, part, "properties", 0):
        for name, one in declared.items() if isinstance(declared, dict) else ():
            found.setdefault(name, []).append(one)
    if "" in found or len({name.casefold() for name in found}) < len(found):
        return {}
    return {name: ones[0] if len(ones) == 1 else {"anyOf": ones} for name, ones in found.items()}


def _items(root: Mapping[str, Any], part: Any) -> Any:
    """The schema of the items of a list; None where they differ by their place."""
    if [*_said(root, part, "prefixItems", 0)]:
        return None
    ones = [*_said(root, part, "items", 0)]
    if not ones or not all(isinstance(one, dict) for one in ones):
        return None
    return ones[0] if len(ones) == 1 else {"anyOf": ones}


def _said(root: Mapping[str, Any], part: Any, keyword: str, depth: int) -> Iterator[Any]:
    """All that a schema says by a keyword, where it refers to and in its branches, too."""
    if not isinstance(part, dict) or depth > _DEEPEST:
        return
    if keyword in part:
        yield part[keyword]
    if isinstance(part.get("$ref"), str):
        try:
            target = resolve(root, part["$ref"]).schema
        except UnresolvedError:
            target = None
        yield from _said(root, target, keyword, depth + 1)
    for branch in _BRANCHES:
        for one in part[branch] if isinstance(part.get(branch), list) else ():
            yield from _said(root, one, keyword, depth + 1)
