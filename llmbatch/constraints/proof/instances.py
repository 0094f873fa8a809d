"""Values that a schema nearly always allows; the check has the last word."""

import random
from collections.abc import Iterator
from typing import Any

from llmbatch.constraints.proof import strings
from llmbatch.constraints.proof.conjunction import Conjunction, NoInstanceError, conjunction
from llmbatch.constraints.proof.writing import whole, write

_DEEPEST = 7
_MOST_NODES = 300
_TRIES = 6  # branches that are drawn for one value before none is said to fit


def instances(schema: Any, seed: int = 0) -> Iterator[Any]:
    """Values for a schema that `writing.read_schema` has read, without end, the same for a seed.
    A few of them break the schema; a turn without any value gives none."""
    chance = random.Random(seed)
    empty = 0
    while empty < 100:
        try:
            yield _Maker(schema, chance).make(schema, 0)
            empty = 0
        except (NoInstanceError, RecursionError):
            empty += 1


class _Maker:
    """Makes one value."""

    def __init__(self, root: Any, chance: random.Random) -> None:
        self._root, self._chance = root, chance
        self._nodes = 0
        self._share = chance.choice([0.0, 0.5, 0.5, 1.0])  # of the optional properties

    def make(self, schema: Any, depth: int) -> Any:
        """A value. Raises NoInstanceError."""
        for _ in range(_TRIES):
            self._nodes += 1
            if depth > _DEEPEST or self._nodes > _MOST_NODES:
                raise NoInstanceError
            try:
                return self._held(conjunction(self._root, schema, self._chance), depth)
            except NoInstanceError:
                continue
        raise NoInstanceError

    def _held(self, held: Conjunction, depth: int) -> Any:
        if listed := held.all("const"):
            return listed[0]
        if listed := held.all("enum"):
            return self._chance.choice(listed[-1])
        types = held.types()
        if not types:
            raise NoInstanceError
        kind = self._chance.choice(types)
        if kind in ("object", "array"):
            return (self._object if kind == "object" else self._array)(held, depth)
        if kind == "string":
            return strings.make_string(held, self._chance)
        if kind in ("boolean", "null"):
            return self._chance.choice([True, False]) if kind == "boolean" else None
        return strings.make_number(held, self._chance, is_whole=kind == "integer")

    def _object(self, held: Conjunction, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        required = held.required()
        for name in dict.fromkeys([*held.names(), *required]):
            needed = name in required
            if not needed and (depth >= _DEEPEST or self._chance.random() >= self._share):
                continue
            try:
                made[name] = self.make(self._property(held, name), depth + 1)
            except NoInstanceError:
                if needed:
                    raise
        least = max((whole(each) for each in held.all("minProperties")), default=0)
        most = min((whole(each) for each in held.all("maxProperties")), default=1_000)
        self._add_others(held, made, depth, max(0, least - len(made)), most)
        return _in_listed_order(held, made)

    def _property(self, held: Conjunction, name: str) -> Any:
        found = [part[name] for part in held.all("properties") if name in part]
        if not found:
            found = [each for each in held.all("additionalProperties") if each is not True]
            found += [s for part in held.all("patternProperties") for s in part.values()][:1]
        return {"allOf": found}

    def _add_others(
        self, held: Conjunction, made: dict[str, Any], depth: int, least: int, most: int
    ) -> None:
        """Properties without names of their own, where the schema speaks of such."""
        patterns = [item for part in held.all("patternProperties") for item in part.items()]
        open_ = [each for each in held.all("additionalProperties") if each is not False]
        closed = any(each is False for each in held.all("additionalProperties"))
        is_bare = not (held.names() or patterns or closed)
        if not (patterns or (open_ and not closed) or is_bare or held.all("propertyNames")):
            return
        wanted = least + (0 if depth > 3 else self._chance.choice([0, 1, 2]))
        for _ in range(wanted):
            pattern = self._chance.choice(patterns) if patterns else None
            name = self._name(held, pattern[0] if pattern else None)
            part = pattern[1] if pattern else {"allOf": open_}
            if name not in made and len(made) < most:
                made[name] = self.make(part, depth + 1)

    def _name(self, held: Conjunction, pattern: str | None) -> str:
        if pattern is not None:
            return strings.make_string(Conjunction([{"pattern": pattern}]), self._chance)
        if names := held.all("propertyNames"):
            made = self.make({"allOf": [{"type": "string"}, *names]}, _DEEPEST)
            return made if isinstance(made, str) else "name"
        hard = ("a b", 'q"uote', "Ünï", "x\\y", "line\nbreak")
        return self._chance.choice(["k1", "k2", "other", "zz9", *hard])

    def _array(self, held: Conjunction, depth: int) -> list[Any]:
        prefix: list[Any] = next(iter(held.all("prefixItems")), [])
        rest = held.all("items")
        low = max((whole(each) for each in held.all("minItems")), default=0)
        high = min(
            (whole(each) for each in held.all("maxItems")), default=max(low, len(prefix)) + 2
        )
        length = self._chance.choice([low, high, self._chance.randint(low, max(low, high))])
        if prefix and not rest:
            length = max(low, min(length, len(prefix)))
        made: list[Any] = []
        for index in range(min(length, low + 40)):
            part = prefix[index] if index < len(prefix) else {"allOf": rest}
            try:
                made.append(self.make(part, depth + 1))
            except NoInstanceError:
                if len(made) < low:
                    raise
                break
        for wanted in held.all("contains"):
            made.append(self.make({"allOf": [wanted, *rest]}, depth + 1))
        return _without_twins(made) if any(held.all("uniqueItems")) else made


def _in_listed_order(held: Conjunction, made: dict[str, Any]) -> dict[str, Any]:
    """Names that `propertyNames` lists in its order, in which grammars have them."""
    listed = [names.get("enum", ()) for names in held.all("propertyNames")]
    order = {name: place for names in listed for place, name in enumerate(names)}
    return dict(sorted(made.items(), key=lambda item: order.get(item[0], 0)))


def _without_twins(values: list[Any]) -> list[Any]:
    return list({write(value, is_plain=True): value for value in values}.values())
