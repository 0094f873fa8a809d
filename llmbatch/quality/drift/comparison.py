"""The comparison of an input with those before it.

A change is told if it is large enough to matter, if chance alone would hardly make it of as many
rows, and if it is larger than the inputs before differed among themselves.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from statistics import median
from typing import Any, Literal, Self

from llmbatch.core import units
from llmbatch.quality.drift import measures
from llmbatch.quality.drift.measures import INDICES, LEVELS, Effect
from llmbatch.quality.drift.profile import ColumnProfile, Profile, added
from llmbatch.quality.drift.taking import LEAST_ROWS

Level = Literal["moderate", "large"]
# The probability that chance makes anything be told of an input without a change.
_ALPHA = 1e-4
# A change is told if it is so many times as large as those among the inputs before.
_BEYOND_USUAL = 1.25
# Of fewer inputs before nothing is known of how they differ.
_LEAST_INPUTS = 3
# Logarithms of how many times more or fewer rows are told, and large.
_ROWS = (math.log(2), math.log(5))
_TESTS = len(LEVELS)
_ORDER = (
    "missing",
    "no number",
    "language",
    "new value",
    "values",
    "amount",
    "new words",
    "length",
)


@dataclass(frozen=True, slots=True)
class Former:
    """The profile of an input that a run had before."""

    taken_at: datetime
    profile: Profile


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the input: its `column` (None: the input as a whole), the `measure` (see
    `measures.LEVELS`) and its `size` by it, the largest such size among the inputs before
    (`usual`; None: unknown), and the words for it."""

    column: str | None
    measure: str
    level: Level
    size: float
    usual: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Drift:
    """The changes of an input against the `inputs` before it, the first of which a run had at
    `since` (ISO 8601; None without any)."""

    inputs: int = 0
    since: str | None = None
    changes: tuple[Change, ...] = ()

    @property
    def level(self) -> Level | None:
        """That of the largest change; None without any."""
        levels = {change.level for change in self.changes}
        return "large" if "large" in levels else "moderate" if levels else None

    def to_json(self) -> dict[str, Any]:
        """The stored form, which is also that of reports."""
        return asdict(self) | {"level": self.level}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """From the result of `to_json`, or what another version has written."""
        names = {each.name for each in fields(Change)}
        tables = (each for each in stored.get("changes") or () if isinstance(each, dict))
        changes = [each for each in tables if names <= each.keys()]
        return cls(
            int(stored.get("inputs") or 0),
            stored.get("since"),
            tuple(Change(**{name: each[name] for name in names}) for each in changes),
        )


def compare(now: Profile, before: Sequence[Former]) -> Drift:
    """The drift of an input against those before it, the oldest first."""
    if not before:
        return Drift()
    former = [each.profile for each in before]
    found = [*_rows(now, former), *_names(now, former[-1]), *_columns(now, former)]
    # First what is large, and of a column what explains the rest.
    found.sort(key=lambda each: (each.level != "large", each.column or "", _place(each)))
    return Drift(len(before), before[0].taken_at.isoformat(timespec="seconds"), tuple(found))


def _place(change: Change) -> int:
    return _ORDER.index(change.measure) if change.measure in _ORDER else len(_ORDER)


def _rows(now: Profile, former: Sequence[Profile]) -> Iterator[Change]:
    """A number of rows that is far from those before."""
    counts = [profile.rows for profile in former]
    middle = median(counts)
    if max(now.rows, middle) < LEAST_ROWS or not min(now.rows, middle):
        return
    size = abs(math.log(now.rows / middle))
    others = [abs(math.log(count / middle)) for count in counts if count]
    usual = max(others) if len(counts) >= _LEAST_INPUTS else None
    if level := _level(size, usual, _ROWS):
        text = f"{units.number(middle)} -> {units.count(now.rows, 'row')}"
        yield Change(None, "rows", level, size, usual, text)


def _names(now: Profile, last: Profile) -> Iterator[Change]:
    """Columns that are new or gone since the input before."""
    if not last.names:
        return
    for name in now.names:
        if name not in last.names:
            yield Change(name, "columns", "moderate", 1.0, None, "a new column")
    for name in last.names:
        if name not in now.names:
            yield Change(name, "columns", "large", 1.0, None, "the column is gone")


def _columns(now: Profile, former: Sequence[Profile]) -> Iterator[Change]:
    alpha = _ALPHA / (_TESTS * max(1, len(now.columns)))
    for name, column in now.columns.items():
        inputs = [
            each.columns[name]
            for each in former
            if name in each.columns and each.columns[name].rows >= LEAST_ROWS
        ]
        if inputs and column.rows >= LEAST_ROWS:
            yield from _of_column(name, column, inputs, alpha)


def _of_column(
    name: str, column: ColumnProfile, inputs: Sequence[ColumnProfile], alpha: float
) -> Iterator[Change]:
    # Of several inputs together the distinct values are not known, by which it is decided.
    kind = inputs[-1].kind
    for effect in measures.of_column(column, added(inputs), alpha, kind):
        if effect.sure and effect.size >= LEVELS[effect.measure][0]:
            usual = _usual(effect, inputs) if len(inputs) >= _LEAST_INPUTS else None
            if level := _level(effect.size, usual, LEVELS[effect.measure]):
                yield Change(name, effect.measure, level, effect.size, usual, effect.text)


def _usual(effect: Effect, inputs: Sequence[ColumnProfile]) -> float:
    """The largest change by the same measure of one of the inputs against the others."""
    sizes = [
        other.size
        for place in range(len(inputs))
        for other in _against_others(place, inputs)
        if other.measure == effect.measure
    ]
    return max(sizes, default=0.0)


def _against_others(place: int, inputs: Sequence[ColumnProfile]) -> Iterator[Effect]:
    others = added([*inputs[:place], *inputs[place + 1 :]])
    return measures.of_column(inputs[place], others, 0.5, inputs[-1].kind)


def _level(size: float, usual: float | None, levels: tuple[float, float]) -> Level | None:
    if size < levels[0] or (usual is not None and size < _BEYOND_USUAL * usual):
        return None
    return "large" if size >= levels[1] else "moderate"


def lines(drift: Drift) -> list[str]:
    """A line for each change, in plain words."""
    return [line(change, drift) for change in drift.changes]


def line(change: Change, drift: Drift) -> str:
    """One change: where, what, how large, and how unusual."""
    where = "" if change.column is None else f"column {change.column!r}: "
    how = [f"PSI {change.size:.2f}"] if change.measure in INDICES else []
    how.append(change.level)
    if change.measure != "columns":
        how.append(_unusual(change, drift.inputs))
    return f"{where}{change.text} ({', '.join(how)})"


def _unusual(change: Change, inputs: int) -> str:
    if change.usual is None:
        return f"against {units.count(inputs, 'input')} before"
    if change.measure == "rows":
        return f"at most {math.exp(change.usual):.1f} times more or fewer in {inputs} inputs before"
    amount = f"{change.usual:.2f}" if change.measure in INDICES else units.share(change.usual)
    return f"at most {amount} among the {inputs} inputs before"
