"""The order of a record's fields that lets sorted prompts share the longest beginnings.

After Liu et al., "Optimizing LLM Queries in Relational Data Analytics Workloads" (arXiv
2403.05821): a prefix cache computes a field once for all neighbours that agree in it and in
every field before it. They order the fields anew for each group of rows, greedily; here all
rows have one order, and of those the best.

With the fields f1..fm, a field saves the bytes that it has in all rows less those that it has in
one row of each distinct (f1..fj). That depends on the set of the fields before it alone, not on
their order, so best(S) = max over f in S of best(S - f) + saved(S - f, f): a dynamic programme
over sets (Held and Karp's). Its cost is the grouping of the rows by a set of fields, done once
for each set that is met, at most 2^m times. Fewer are met, because

- a field that the fields before it determine splits no group: it is taken at once;
- where every row is a group of its own, nothing more is saved;
- what a field saves can only fall as fields come before it, which bounds what a set can become;
- of many fields only the best sets of each size are followed (a beam).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from llmbatch.store.field_groups import Groups

# With more fields that can save something the search is a beam: this many sets of each size,
# divided by the number of fields, each tried with the fields that may save most, until what
# could still be saved is this share of all.
_EXACT = 8
_BEAM = 64
_TRIED = 12
_ENOUGH = 0.001


# Groups the rows by these fields.
Measure = Callable[[frozenset[int]], Groups]


@dataclass(frozen=True, slots=True)
class Choice:
    """The best order found, as indexes of the input's order, and the bytes that it saves; `as_is`
    are those that the input's order saves, `total` is all there are."""

    order: tuple[int, ...]
    saved: int
    as_is: int
    total: int


def choose(rows: int, totals: Sequence[int], measure: Measure) -> Choice:
    """The order that saves the most bytes of `rows` records.

    `totals` holds the bytes of each field in all rows, `measure` groups the rows; it is asked
    once for each set of fields. The input's order stays unless another one saves more.
    """
    search = _OrderSearch(rows, totals, measure)
    as_given = tuple(range(len(totals)))
    as_is = search.saved(as_given)
    best = search.run()
    if best.saved <= as_is:
        return Choice(as_given, as_is, as_is, sum(totals))
    return Choice(best.order, best.saved, as_is, sum(totals))


@dataclass(frozen=True, slots=True)
class _State:
    """A beginning of an order. `splitting` are the fields of it that make its `groups`; `caps`
    say of every other field how much it can still save at most."""

    order: tuple[int, ...]
    splitting: frozenset[int]
    groups: int
    saved: int
    caps: Mapping[int, int]

    @property
    def bound(self) -> int:
        return self.saved + sum(self.caps.values())

    def merged(self, other: "_State") -> "_State":
        """The better of two beginnings of the same fields: more saved, else nearer the input."""
        best = min(self, other, key=lambda state: (-state.saved, state.order))
        caps = {field: min(cap, other.caps[field]) for field, cap in self.caps.items()}
        return _State(best.order, best.splitting, best.groups, best.saved, caps)


class _OrderSearch:
    def __init__(self, rows: int, totals: Sequence[int], measure: Measure) -> None:
        self._rows = rows
        self._totals = totals
        self._measure = measure
        self._measured: dict[frozenset[int], Groups] = {}
        self._best: _State | None = None
        self._tried = len(totals)
        self._enough = 0.0

    def _groups(self, fields: frozenset[int]) -> Groups:
        if fields not in self._measured:
            self._measured[fields] = self._measure(fields)
        return self._measured[fields]

    def saved(self, order: Sequence[int]) -> int:
        """The bytes that an order saves."""
        saved, fields = 0, frozenset[int]()
        for field in order:
            fields |= {field}
            groups = self._groups(fields)
            if groups.count == self._rows:
                break
            saved += self._totals[field] - groups.lengths[field]
        return saved

    def run(self) -> _State:
        """The best order: first a greedy one, whose worth then bounds the search."""
        root = _State((), frozenset(), min(1, self._rows), 0, dict(enumerate(self._totals)))
        free = sum(self._gain(frozenset(), field)[1] > 0 for field in root.caps)
        if free > _EXACT:
            self._tried = _TRIED
            self._enough = _ENOUGH * sum(self._totals)
        self._follow(root, 1)
        self._follow(root, max(1, _BEAM // free) if free > _EXACT else None)
        assert self._best is not None, "every beginning leads to an order"
        return self._best

    def _follow(self, root: _State, width: int | None) -> None:
        """Follow the beginnings by their number of fields, the `width` best of each."""
        by_size: list[dict[frozenset[int], _State]] = [{} for _ in range(len(self._totals) + 1)]
        by_size[0][frozenset()] = root
        for states in by_size:
            hopeful = [state for state in states.values() if not self._is_worse(state)]
            hopeful.sort(key=lambda state: (-state.bound, -state.saved, state.order))
            for state in hopeful[:width]:
                for child in self._expanded(state):
                    fields = frozenset(child.order)
                    met = by_size[len(child.order)]
                    met[fields] = child.merged(met[fields]) if fields in met else child

    def _is_worse(self, state: _State) -> bool:
        return self._best is not None and state.bound < self._best.saved

    def _expanded(self, state: _State) -> list[_State]:
        """The beginnings with one field more; none if `state` is as good as a whole order."""
        left = sum(state.caps.values())
        if state.groups == self._rows or left <= self._enough:
            self._end(state)
            return []
        hopeful = [field for field, cap in state.caps.items() if cap > 0]
        likely = sorted(hopeful, key=lambda field: (-state.caps[field], field))
        gains = {field: self._gain(state.splitting, field) for field in likely[: self._tried]}
        caps = {
            field: gains[field][1] if field in gains else cap for field, cap in state.caps.items()
        }
        caps = {field: min(cap, state.caps[field]) for field, cap in caps.items()}
        determined = sorted(field for field, (count, _) in gains.items() if count == state.groups)
        order = (*state.order, *determined)
        saved = state.saved + sum(gains[field][1] for field in determined)
        free = {field: cap for field, cap in caps.items() if field not in determined}
        closed = _State(order, state.splitting, state.groups, saved, free)
        if determined:
            return self._expanded(closed)  # of those that were not tried more may be so
        if not gains:
            self._end(closed)
        return [self._with(closed, field, *gains[field]) for field in free if field in gains]

    def _with(self, state: _State, field: int, groups: int, gain: int) -> _State:
        alone = groups == self._rows
        caps = {other: 0 if alone else cap for other, cap in state.caps.items() if other != field}
        splitting = state.splitting | {field}
        return _State((*state.order, field), splitting, groups, state.saved + gain, caps)

    def _end(self, state: _State) -> None:
        """Keep a beginning whose other fields may follow as they are, if it is the best."""
        order = (*state.order, *sorted(state.caps))
        ended = _State(order, state.splitting, state.groups, state.saved, {})
        self._best = ended if self._best is None else self._best.merged(ended)

    def _gain(self, before: frozenset[int], field: int) -> tuple[int, int]:
        """The number of groups with `field` after `before`, and the bytes that it saves there."""
        groups = self._groups(before | {field})
        return groups.count, self._totals[field] - groups.lengths[field]
