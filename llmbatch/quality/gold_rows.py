"""The rows of a job whose right answer is known: gold joined to rows.

Gold of a column stands in the row itself. Rows of a file are found by the job's id column, by the
column that is named, or by equal values in all columns that file and input share. Of gold rows for
one row the first counts, and of rows that one gold row fits, too; all that fits nothing is counted.

Weights of drawn rows are adjusted for those of a stratum that have no gold or no verdict yet: the
others stand for them, too.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmbatch.core import exact_json
from llmbatch.core.errors import UsageError, nearest
from llmbatch.quality import gold_file
from llmbatch.quality.answer_form import AnswerForm
from llmbatch.quality.answers import RowAnswer
from llmbatch.quality.figures import GoldRow
from llmbatch.quality.gold_file import STRATUM, WEIGHT, GoldColumns, GoldEntry

_SHOWN = 3
_NAMED = 20
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GoldSource:
    """Right answers in the file `path`, or in the column `name` of the input. `column`: of the
    file, None: it is found; `on`: the column by which its rows are found, None: see above."""

    name: str
    path: Path | None = None
    column: str | None = None
    on: str | None = None


@dataclass(slots=True)
class GoldCounts:
    """`gold_rows`: rows with a right answer, of which `matched` have a row of the job; `blank`:
    rows of the file without one. `duplicates`: gold rows for a row that has one already,
    `conflicts` of them with another answer; `several`: gold rows that fit several rows;
    `unmatched`: those that fit none, with `examples`. Of the matched: `answered`, `failed`,
    `skipped` and `pending`. `without`: answered rows without gold; `unweighted`: matched rows
    without a weight beside those with one; `lost_strata`: those of which no row can be judged.
    `joined_by`: the columns by which rows were found."""

    gold_rows: int = 0
    matched: int = 0
    answered: int = 0
    failed: int = 0
    skipped: int = 0
    pending: int = 0
    without: int = 0
    blank: int = 0
    unmatched: int = 0
    examples: list[str] = field(default_factory=list)
    duplicates: int = 0
    conflicts: int = 0
    several: int = 0
    unweighted: int = 0
    lost_strata: list[str] = field(default_factory=list)
    joined_by: str = ""

    @property
    def judged(self) -> int:
        """The matched rows that have come to an end."""
        return self.matched - self.pending


class Joining:
    """The joining of gold to rows, in one pass over these. `counts` is whole after it."""

    def __init__(
        self,
        source: GoldSource,
        form: AnswerForm,
        columns: Sequence[str],
        id_column: str | None,
        *,
        input_name: str = "the input",
        is_record: bool = False,
    ) -> None:
        """`columns`: of the input; `is_record`: right answers are JSON objects."""
        self.counts = GoldCounts()
        self._is_record = is_record
        self._keys: list[str] | None = None
        self._entries: dict[Key, GoldEntry] = {}
        self._seen: dict[Key, int] = {}
        self._strata: dict[str, float] = {}
        if source.path is None:
            self.columns = gold_file.of_input(source.name, columns, input_name)
            return
        entries, names = gold_file.read(source.path)
        self.columns = gold_file.of_file(source.path, names, form, columns, source.column)
        self._keys = _keys(source, names, columns, id_column, self.columns)
        self._by_id = self._keys == [id_column]
        self.counts.joined_by = ", ".join(self._keys)
        self._read(entries)

    def _read(self, entries: Iterable[GoldEntry]) -> None:
        counts = self.counts
        for entry in entries:
            key = self._key(entry.values)
            if key not in self._entries:
                self._weigh(entry)
            gold = self.columns.value(entry, is_record=self._is_record)
            if gold is None:
                counts.blank += 1
                continue
            counts.gold_rows += 1
            if key in self._entries:
                other = self.columns.value(self._entries[key], is_record=self._is_record)
                counts.duplicates += 1
                counts.conflicts += gold != other
                continue
            self._entries[key] = entry

    def _weigh(self, entry: GoldEntry) -> None:
        """Add a row that was drawn to its stratum."""
        weight = gold_file.weight_of(entry)
        if weight is not None:
            name = exact_json.cell(entry.values.get(STRATUM))
            self._strata[name] = self._strata.get(name, 0.0) + weight

    def _key(self, values: Any) -> Key:
        return tuple(exact_json.cell(values.get(name)) for name in self._keys or ())

    def rows(self, rows: Iterable[RowAnswer], by: Sequence[str] = ()) -> Iterator[GoldRow]:
        """The rows that have come to an end and have gold, in the order of `rows`; `by`: columns of
        groups. Raises UsageError for a column that there is not."""
        for row in rows:
            values = row.input if by or not (self._keys and self._by_id) else {}
            entry = self._entry(row, values)
            gold = None if entry is None else self.columns.value(entry, is_record=self._is_record)
            if entry is None or gold is None:
                self.counts.without += row.is_answered
                continue
            if not self._keys:
                self.counts.gold_rows += 1
            self.counts.matched += 1
            count = getattr(self.counts, row.state)
            setattr(self.counts, row.state, count + 1)
            if row.state != "pending":
                yield _gold_row(row, entry, gold, _groups(values, entry, by))
        self._finish()

    def _entry(self, row: RowAnswer, values: dict[str, Any]) -> GoldEntry | None:
        """The gold of a row, if it has some."""
        if not self._keys:
            entry = GoldEntry(values, f"row {row.id}")
            self._weigh(entry)
            return entry
        key = (row.id,) if self._by_id else self._key(values)
        found = self._entries.get(key)
        if found is not None:
            self._seen[key] = self._seen.get(key, 0) + 1
            if self._seen[key] > 1:
                self.counts.several += self._seen[key] == 2
                return None
        return found

    def _finish(self) -> None:
        missed = [entry for key, entry in self._entries.items() if key not in self._seen]
        self.counts.unmatched = len(missed)
        self.counts.examples = [entry.where for entry in missed[:_SHOWN]]

    def adjust(self, rows: Sequence[GoldRow]) -> None:
        """Let the weights of each stratum's rows stand for all that were drawn from it."""
        if not any(row.weight is not None for row in rows):
            return
        used = dict[str, float]()
        for row in rows:
            self.counts.unweighted += row.weight is None
            used[row.stratum] = used.get(row.stratum, 0.0) + (row.weight or 0.0)
        self.counts.lost_strata = sorted(self._strata.keys() - used.keys())
        for row in rows:
            if row.weight is not None and used[row.stratum]:
                row.weight *= self._strata[row.stratum] / used[row.stratum]


def _keys(
    source: GoldSource,
    names: Sequence[str],
    columns: Sequence[str],
    id_column: str | None,
    gold: GoldColumns,
) -> list[str]:
    """The columns by which rows of a file are found. Raises UsageError where there is none."""
    if source.on is not None:
        for known, where in ((names, source.path), (columns, "the input")):
            if source.on not in known:
                raise UsageError(
                    f"--on: no column {source.on!r} in {where}{nearest(source.on, known)}; "
                    f"columns: {', '.join(list(known)[:_NAMED]) or 'none'}"
                )
        return [source.on]
    if id_column is not None and id_column in names:
        return [id_column]
    own = gold.names | {WEIGHT, STRATUM}
    shared = [name for name in names if name in columns and name not in own]
    if not shared:
        raise UsageError(
            f"{source.path}: shares no column with the input, so its rows cannot be found there; "
            f"it has {', '.join(names[:_NAMED]) or 'none'}, the input "
            f"{', '.join(list(columns)[:_NAMED]) or 'none'}"
        )
    return shared


def _groups(values: dict[str, Any], entry: GoldEntry, by: Sequence[str]) -> tuple[str, ...]:
    found = []
    for name in by:
        holder = values if name in values else entry.values
        if name not in holder:
            raise UsageError(
                f"--by: no column {name!r} in the input{nearest(name, values)}; columns: "
                f"{', '.join(list(values)[:_NAMED])}"
            )
        found.append(exact_json.cell(holder[name]))
    return tuple(found)


def _gold_row(row: RowAnswer, entry: GoldEntry, gold: Any, by: tuple[str, ...]) -> GoldRow:
    return GoldRow(
        row=row.row,
        id=row.id,
        line=row.line,
        is_answered=row.is_answered,
        answer=row.response if row.is_answered else None,
        gold=gold,
        confidence=row.confidence if row.is_answered else None,
        why=None if row.is_answered else row.why[0] if row.why else row.state,
        weight=gold_file.weight_of(entry),
        stratum=exact_json.cell(entry.values.get(STRATUM)),
        by=by,
    )
