"""A schema of any draft in one plain form: that of draft 2020-12, with references by pointer.

The engines, the check and the columns read only this form. Beside the older drafts it takes what
OpenAPI 3.0 writes: `nullable`, and a boolean `exclusiveMinimum`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from llmbatch.constraints.keywords import CONSTRAINING
from llmbatch.constraints.schema_walk import (
    LISTED,
    NAMED,
    ONE,
    REFERENCES,
    SHELVES,
    Path,
    Subschema,
    UnresolvedError,
    place,
    pointer,
    references,
    resolve,
)
from llmbatch.core.errors import UsageError

_DROPPED = frozenset(
    {
        *("$anchor", "$dynamicAnchor", "$id", "$recursiveAnchor", "$schema", "$vocabulary"),
        *REFERENCES,
        *("additionalItems", "dependencies", "nullable"),
    }
)
_BOUNDS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}
# Since which draft, and until which one, a keyword is held; older drafts have passed over it.
_SINCE = {
    **dict.fromkeys(("const", "contains", "propertyNames"), 6),
    "if": 7,
    **dict.fromkeys(("dependentRequired", "dependentSchemas"), 8),
    **dict.fromkeys(("unevaluatedItems", "unevaluatedProperties"), 8),
    **dict.fromkeys(("$recursiveRef", "maxContains", "minContains"), 8),
    **dict.fromkeys(("$dynamicRef", "prefixItems"), 9),
}
_UNTIL = {"dependencies": 7, "additionalItems": 8, "$recursiveRef": 8}
# The drafts by what their addresses hold, numbered on from 7.
_DRAFTS = {"draft-04/": 4, "draft-06/": 6, "draft-07/": 7, "2019-09/": 8, "2020-12/": 9}
# Beside these a null must be another choice; `type` and `enum` can take one themselves.
_NOT_NULLABLE = frozenset({"$ref", "allOf", "anyOf", "const", "if", "not", "oneOf"})
_KEPT_OUTSIDE = ("title", "description", "default", "examples", *SHELVES)


class PlainForm(NamedTuple):
    """`schema`: in the plain form; `revised`: why it means something else than what was written,
    by the letter of JSON Schema; `notices`: lines for the user."""

    schema: Any
    revised: bool
    notices: tuple[str, ...]


def make_plain(schema: Any) -> PlainForm:
    """The plain form of a schema. Raises UsageError for references that cannot be followed."""
    if not isinstance(schema, Mapping):
        return PlainForm(schema, False, ())
    form = _Form(schema)
    plain = form.whole()
    return PlainForm(plain, form.revised, tuple(form.notices()))


class _Form:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        declared = str(root.get("$schema"))
        self._draft = next((n for part, n in _DRAFTS.items() if part in declared), 9)
        self._targets = {
            (one.holder.pointer, one.keyword): _target(root, one.holder, one.keyword, one.text)
            for one in references(root)
        }
        self._places: dict[str, Path] = {}  # of each subschema, by its pointer in the source
        self._open: list[tuple[dict[str, Any], str, Path]] = []  # references to be written
        self._nullable: list[Path] = []
        self._ignored: list[Path] = []
        self.revised = False

    def notices(self) -> Iterator[str]:
        if self._nullable:
            yield f"schema: nullable is read as OpenAPI 3.0 means it: {_named(self._nullable)}"
        if self._ignored:
            yield (
                f"schema: ignored, as its draft ignores what stands beside $ref: "
                f"{_named(self._ignored)}; leave $schema out to have it held"
            )

    def whole(self) -> dict[str, Any]:
        plain = self._plain(self._root, (), ())
        assert isinstance(plain, dict)
        self._move_odd_targets(plain)
        for holder, text, target in self._open:
            at = self._places[pointer(target)]
            same = at == target and text.startswith(("#/", "#")) and not _is_anchor(text)
            holder["$ref"] = text if same else "#" + quote(pointer(at), safe="/~!$&'()*+,;=:@-._")
        return plain

    def _move_odd_targets(self, plain: dict[str, Any]) -> None:
        """Put schemas that stand where no keyword expects one, and are referred to, in `$defs`."""
        while odd := next((t for _, _, t in self._open if self._is_odd(t)), None):
            shelf = plain.setdefault("$defs", {})
            name = str(odd[-1])
            while name in shelf:
                name += "_"
            target = resolve(self._root, "#" + quote(pointer(odd)))
            shelf[name] = True  # it may refer to itself
            shelf[name] = self._plain(target.schema, odd, ("$defs", name))
            if odd[0] not in NAMED | LISTED | ONE:
                plain.pop(str(odd[0]), None)

    def _is_odd(self, target: Path) -> bool:
        at = self._places.get(pointer(target))
        # A pattern is no name to refer to: its form changes.
        return at is None or ("patternProperties" in target and at[:1] != ("$defs",))

    def _plain(self, node: Any, source: Path, at: Path) -> Any:
        """The plain form of the schema at `source`, which will stand at `at`."""
        self._places[pointer(source)] = at
        if not isinstance(node, Mapping):
            return node
        if node.get("nullable") is True:
            self.revised = True
            self._nullable.append(source)
            if _NOT_NULLABLE & set(node):
                return self._or_null(node, source, at)
        plain = self._reference(node, source)
        # In older drafts a reference replaces all that stands beside it.
        lone = self._draft <= 7 and "$ref" in plain
        for keyword, value in node.items():
            if lone and keyword in CONSTRAINING and keyword != "$ref":
                self._ignored.append((*source, keyword))
                continue
            if not _SINCE.get(keyword, 0) <= self._draft <= _UNTIL.get(keyword, 9):
                self.revised = True
            if keyword not in _DROPPED:
                plain.update(self._keyword(node, keyword, value, source, at))
        if not lone:
            self._add_dependencies(plain, node, source, at)
        if node.get("nullable") is True:
            _take_null(plain)
        return plain

    def _or_null(self, node: Mapping[str, Any], source: Path, at: Path) -> dict[str, Any]:
        outside = {
            name: self._value(name, node[name], (*source, name), (*at, name))
            for name in _KEPT_OUTSIDE
            if name in node
        }
        inner = {name: one for name, one in node.items() if name not in {*outside, "nullable"}}
        choice = self._plain(inner, source, (*at, "anyOf", 0))
        # A reference to it means the choice.
        self._places[pointer(source)] = at
        return {**outside, "anyOf": [choice, {"type": "null"}]}

    def _reference(self, node: Mapping[str, Any], source: Path) -> dict[str, Any]:
        """The reference of a schema, of whatever kind, as `$ref`."""
        held = [word for word in REFERENCES if (pointer(source), word) in self._targets]
        if len(held) > 1:
            raise UsageError(
                f"schema: {place(source)}: has {held[0]} and {held[1]}; put one of them in allOf"
            )
        plain: dict[str, Any] = {}
        for word in held:
            plain["$ref"] = node[word]
            self._open.append((plain, node[word], self._targets[pointer(source), word]))
        return plain

    def _keyword(
        self, node: Mapping[str, Any], keyword: str, value: Any, source: Path, at: Path
    ) -> dict[str, Any]:
        """A keyword in the plain form: itself, another one, or none."""
        if keyword == "id" and isinstance(value, str):
            return {}
        if keyword in _BOUNDS and isinstance(value, bool):
            return self._boolean_bound(node, keyword, value)
        if keyword in _BOUNDS.values() and node.get(_exclusive(keyword)) is True:
            return {}
        if keyword == "items" and isinstance(value, list):
            return self._tuple(node, source, at)
        return {keyword: self._value(keyword, value, (*source, keyword), (*at, keyword))}

    def _boolean_bound(self, node: Mapping[str, Any], keyword: str, value: bool) -> dict[str, Any]:
        bound = node.get(_BOUNDS[keyword])
        return {keyword: bound} if value and bound is not None else {}

    def _tuple(self, node: Mapping[str, Any], source: Path, at: Path) -> dict[str, Any]:
        listed = [
            self._plain(one, (*source, "items", n), (*at, "prefixItems", n))
            for n, one in enumerate(node["items"])
        ]
        plain: dict[str, Any] = {"prefixItems": listed} if listed else {}
        if "additionalItems" in node:
            rest = node["additionalItems"]
            plain["items"] = self._plain(rest, (*source, "additionalItems"), (*at, "items"))
        return plain

    def _value(self, keyword: str, value: Any, source: Path, at: Path) -> Any:
        """The value of a keyword, with the schemas in it in the plain form."""
        if keyword in LISTED and isinstance(value, list):
            return [self._plain(one, (*source, n), (*at, n)) for n, one in enumerate(value)]
        if keyword in NAMED and isinstance(value, Mapping):
            return {
                name: self._plain(one, (*source, name), (*at, name)) for name, one in value.items()
            }
        return self._plain(value, source, at) if keyword in ONE else value

    def _add_dependencies(
        self, plain: dict[str, Any], node: Mapping[str, Any], source: Path, at: Path
    ) -> None:
        """Put `dependencies` of older drafts in their two successors."""
        given = node.get("dependencies")
        if not isinstance(given, Mapping):
            return
        for name, one in given.items():
            kind = "dependentRequired" if isinstance(one, list) else "dependentSchemas"
            into = plain.setdefault(kind, {})
            old, new = (*source, "dependencies", name), (*at, kind, name)
            into[name] = one if isinstance(one, list) else self._plain(one, old, new)


def _exclusive(bound: str) -> str:
    return next(exclusive for exclusive, plain in _BOUNDS.items() if plain == bound)


def _is_anchor(text: str) -> bool:
    return len(text) > 1 and not text.startswith("#/")


def _take_null(plain: dict[str, Any]) -> None:
    """Let a schema of plain keywords take null, too."""
    if isinstance(plain.get("type"), str):
        plain["type"] = [plain["type"], "null"]
    elif isinstance(plain.get("type"), list) and "null" not in plain["type"]:
        plain["type"] = [*plain["type"], "null"]
    if isinstance(plain.get("enum"), list) and None not in plain["enum"]:
        plain["enum"] = [*plain["enum"], None]


def _named(paths: list[Path]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(map(place, paths[:3])) + more


def _target(root: Mapping[str, Any], holder: Subschema, keyword: str, text: str) -> Path:
    """The path to which a reference points. Raises UsageError if it is not in the schema."""
    where = place((*holder.path, keyword))
    own = root.get("$id", root.get("id"))
    if isinstance(own, str) and own.strip("#") and text.startswith(own.rstrip("#")):
        text = "#" + text.removeprefix(own.rstrip("#")).removeprefix("#")
    if based := _base(root, holder.path):
        raise UsageError(
            f"schema: {where}: $ref {text!r} stands in a schema with an address of its own "
            f"({place(based)}.$id); leave that $id out and write the $ref from the root: #/..."
        )
    try:
        return resolve(root, text).path
    except UnresolvedError as error:
        advice = "inline it" if not text.startswith("#") else "define it, or mend the reference"
        raise UsageError(f"schema: {where}: $ref {error}; {advice}") from error


def _base(root: Mapping[str, Any], path: Path) -> Path | None:
    """The path of the innermost schema around `path` (the root apart) with an address."""
    node: Any = root
    found = None
    for depth, part in enumerate(path, 1):
        node = node[part]
        name = node.get("$id") if isinstance(node, Mapping) else None
        if isinstance(name, str) and not name.startswith("#"):
            found = path[:depth]
    return found
