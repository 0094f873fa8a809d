"""The profile of an input: counts by column, small enough to be kept with each run.

All figures are counts of rows, so those of several inputs are added up.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self

Counts = dict[str, int]
Kind = Literal["empty", "id", "date", "number", "category", "text"]

MOST_VALUES = 100
"""A column with more values is no category."""
# The share of the values that decides what a column holds.
_NEARLY_ALL = 0.95
_MOST_AMOUNTS = 20
# A column of fewer values may have all of them different by chance.
_LEAST_IDS = 20
_SHARE_OF_VALUES = 0.5


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """The values of a column in the `rows` that were looked at.

    `nulls` have no value, `blanks` an empty one; of the others: `kinds` (distinct values),
    `numbers`, `dates` and `spaced` ones (with a space in them), their `characters` in all. By class
    (see `input_profiles.sql`) `lengths` and `amounts`; by value the most frequent `values`. Of the
    `word_rows` those that have a word, for the most frequent `words`. `languages` of some texts.
    Of `repeat_rows` of the whole input `repeated` have a value that an earlier row has.
    """

    rows: int = 0
    nulls: int = 0
    blanks: int = 0
    kinds: int = 0
    numbers: int = 0
    dates: int = 0
    spaced: int = 0
    characters: int = 0
    lengths: Counts = field(default_factory=dict)
    amounts: Counts = field(default_factory=dict)
    values: Counts = field(default_factory=dict)
    words: Counts = field(default_factory=dict)
    word_rows: int = 0
    languages: Counts = field(default_factory=dict)
    repeat_rows: int = 0
    repeated: int = 0

    @property
    def present(self) -> int:
        """The rows that have a value."""
        return self.rows - self.nulls - self.blanks

    @property
    def kind(self) -> Kind:
        """The kind of its values, by nearly all of them."""
        present = self.present
        if not present:
            return "empty"
        if self.dates >= _NEARLY_ALL * present:
            return "date"
        if self.numbers >= _NEARLY_ALL * present and self.kinds > _MOST_AMOUNTS:
            return "number" if self._repeats or self._has_fractions else "id"
        if self.kinds <= min(MOST_VALUES, max(_MOST_AMOUNTS, _SHARE_OF_VALUES * present)):
            return "category"
        return "text" if self.spaced or self._repeats else "id"

    @property
    def _repeats(self) -> bool:
        """True if values come more than once, as names of rows do not."""
        return self.kinds < self.present or self.present < _LEAST_IDS

    @property
    def _has_fractions(self) -> bool:
        """True if the numbers have fractions, as those that count rows have not."""
        return any("." in value for value in self.values)

    def to_json(self) -> dict[str, Any]:
        """The stored form: what is not empty."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """From the result of `to_json`, which in other versions may have other fields."""
        is_table = {each.name: each.default_factory is dict for each in fields(cls)}
        known: dict[str, Any] = {
            name: value
            for name, value in stored.items()
            if name in is_table and isinstance(value, dict if is_table[name] else int)
        }
        return cls(**known)


def added(columns: Sequence[ColumnProfile]) -> ColumnProfile:
    """The profile of several inputs together; `kinds` are those of the one that has most."""
    total: dict[str, Any] = {
        each.name: _sum([getattr(column, each.name) for column in columns])
        for each in fields(ColumnProfile)
    }
    total["kinds"] = max((column.kinds for column in columns), default=0)
    return ColumnProfile(**total)


def _sum(values: Sequence[Any]) -> Any:
    if not values or not isinstance(values[0], dict):
        return sum(values)
    counts: Counter[str] = Counter()
    for value in values:
        counts.update(value)
    return dict(counts)


@dataclass(frozen=True, slots=True)
class Profile:
    """The profile of an input: its `rows`, and its columns by name, as far as they were looked at.
    `names`: of all columns."""

    rows: int
    names: tuple[str, ...] = ()
    columns: Mapping[str, ColumnProfile] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        columns = {name: column.to_json() for name, column in self.columns.items()}
        return {"rows": self.rows, "names": list(self.names), "columns": columns}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """From the result of `to_json`, or what another version has written."""
        columns = stored.get("columns") or {}
        return cls(
            int(stored.get("rows") or 0),
            tuple(stored.get("names") or ()),
            {
                name: ColumnProfile.from_json(column)
                for name, column in columns.items()
                if isinstance(column, dict)
            },
        )
