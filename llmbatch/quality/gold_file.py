"""Right answers: where they stand, and how they are read."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from llmbatch.core import exact_json
from llmbatch.core.errors import UsageError, nearest
from llmbatch.quality import table_file
from llmbatch.quality.answer_form import AnswerForm
from llmbatch.quality.record_figures import GoldRecord

GOLD, WEIGHT, STRATUM = "gold", "sample_weight", "sample_stratum"
"""The columns of a file that people have labelled: the right answer, 1 / the probability with which
the row was drawn, and the stratum that it was drawn from."""
ANY = "*"
"""In the name of a column: the field of a JSON answer, as in `gold_*`."""
_PREFIX = "gold_"
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class GoldEntry:
    """A row of right answers: its values by column, and its place in messages."""

    values: Mapping[str, Any]
    where: str


@dataclass(frozen=True, slots=True)
class GoldColumns:
    """The columns with right answers: one, or one for each field of a JSON answer, by field."""

    one: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        return frozenset(self.fields.values() if self.one is None else [self.one])

    def value(self, entry: GoldEntry, *, is_record: bool) -> Any:
        """The right answer of a row, a GoldRecord if answers are JSON objects; None without one.
        Raises UsageError for one that is none."""
        if self.one is None:
            found = {name: _filled(entry.values.get(c)) for name, c in self.fields.items()}
            return GoldRecord(found, False) if any(v is not None for v in found.values()) else None
        value = _filled(entry.values.get(self.one))
        return value if value is None or not is_record else record(value, entry.where)


def _filled(value: Any) -> Any:
    """A cell; None for a blank one."""
    return None if isinstance(value, str) and not value.strip() else value


def record(value: Any, where: str) -> GoldRecord:
    """A right answer that is a JSON object. Raises UsageError for any other."""
    if isinstance(value, str):
        try:
            value = exact_json.parse_record(value)
        except ValueError:
            value = None
    if not isinstance(value, Mapping):
        raise UsageError(f"{where}: the right answer is no JSON object, as the answers are")
    return GoldRecord(value, True)


def read(path: Path) -> tuple[list[GoldEntry], list[str]]:
    """The rows of a file, and its columns. Raises UsageError."""
    with table_file.opened(path) as file:
        entries = [
            GoldEntry(exact_json.parse_record(record.data), f"{path}:{record.line}")
            for record in file.rows()
        ]
    columns = dict.fromkeys(file.columns)
    for entry in entries:
        columns |= dict.fromkeys(entry.values)
    return entries, list(columns)


def of_input(name: str, columns: Sequence[str], where: str) -> GoldColumns:
    """The columns of the input that are named so. Raises UsageError if it has none."""
    if ANY in name:
        before, _, after = name.partition(ANY)
        fields = {
            column[len(before) : len(column) - len(after)]: column
            for column in columns
            if column.startswith(before) and column.endswith(after) and len(column) > len(name) - 1
        }
        if fields:
            return GoldColumns(fields=fields)
    elif name in columns:
        return GoldColumns(name)
    raise UsageError(
        f"gold: no column {name!r} in {where}{nearest(name, columns)}; columns: "
        f"{', '.join(columns[:_SHOWN]) or 'none'}; a file is named by its path (./{name})"
    )


def of_file(
    path: Path,
    columns: Sequence[str],
    form: AnswerForm,
    known: Collection[str],
    named: str | None,
) -> GoldColumns:
    """The columns of a file with right answers: the one that is `named`, else `gold`, the fields of
    a JSON answer (with `gold_` before them, or not), the response column, or the only one that the
    input does not have (`known`: its columns). Raises UsageError where none of it is there."""
    if named is not None:
        return of_input(named, columns, str(path))
    if GOLD in columns:
        return GoldColumns(GOLD)
    if fields := _fields(columns, form):
        return GoldColumns(fields=fields)
    if form.column in columns:
        return GoldColumns(form.column)
    others = [name for name in columns if name not in known and name not in (WEIGHT, STRATUM)]
    if len(others) == 1:
        return GoldColumns(others[0])
    raise UsageError(
        f"{path}: no column 'gold', so which one has the right answers? Name it: --gold-column; "
        f"columns: {', '.join(columns[:_SHOWN]) or 'none'}"
    )


def _fields(columns: Sequence[str], form: AnswerForm) -> dict[str, str]:
    if form.kind not in ("json", None):
        return {}
    found = {}
    for name in form.parts or [c.removeprefix(_PREFIX) for c in columns if c.startswith(_PREFIX)]:
        column = next((each for each in (_PREFIX + name, name) if each in columns), None)
        if column is not None:
            found[name] = column
    return found


def weight_of(entry: GoldEntry) -> float | None:
    """The weight of a row that was drawn; None if it says none. Raises UsageError for one that is
    no number above zero."""
    value = _filled(entry.values.get(WEIGHT))
    if value is None:
        return None
    try:
        weight = float(value)
    except (TypeError, ValueError):
        weight = 0.0
    if not 0 < weight < float("inf"):
        raise UsageError(f"{entry.where}: {WEIGHT} is {value!r}, not a number above 0")
    return weight


def parsed(value: Any) -> Any:
    """A text that is a JSON object or array as that value; any other as it is."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except ValueError:
            return value
    return value
