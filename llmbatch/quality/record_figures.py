"""Figures of answers that are JSON objects: their fields against those of gold.

A field is right by its exact value, or by its normal form (`quality/normal_forms`). Gold that was
read from a table of texts is exact where the answer stands so in a cell. `micro` is over all fields
of all rows, `macro` the mean over the fields; a whole record is right if all of its fields are, and
if it has no others, where gold is a whole record, too. Of a row without an answer all is wrong.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmbatch.core.errors import UsageError
from llmbatch.core.exact_json import cell, dump_record
from llmbatch.quality import estimates, figures, normal_forms, votes
from llmbatch.quality.estimates import Sample
from llmbatch.quality.figures import Figure, GoldRow

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[Any]

MOST_FIELDS = 200
_EMPTY = (None, "")


@dataclass(frozen=True, slots=True)
class FieldFigures:
    """A field: the rows whose gold has it (`rows`), answers that lack it (`missing`), answers that
    have it where gold has none (`extra`), and the shares of right ones."""

    field: str
    rows: int
    missing: int
    extra: int
    exact: Figure
    normalised: Figure


@dataclass(frozen=True)
class GoldRecord:
    """Gold by field. `is_whole`: it is a record, and an answer with other fields is another one;
    else it has some fields of one."""

    fields: Mapping[str, Any]
    is_whole: bool


def fields_of(rows: Sequence[GoldRow]) -> list[str]:
    """The fields of gold and, where that has whole records, of the answers, as they are first met.
    Raises UsageError for more than can be shown."""
    names = dict.fromkeys(name for row in rows for name in row.gold.fields)
    for row in rows:
        if row.gold.is_whole and isinstance(row.answer, dict):
            names |= dict.fromkeys(row.answer)
        if len(names) > MOST_FIELDS:
            raise UsageError(f"gold: more than {MOST_FIELDS} different fields of JSON")
    return list(names)


def is_exact(answer: Any, gold: Any) -> bool:
    """True if the values are the same; a gold text also counts as the cell of a table."""
    if isinstance(gold, str) and not isinstance(answer, str):
        return answer is not None and cell(answer) == gold
    return bool(_plain(answer) == _plain(gold))


def _plain(value: Any) -> Hashable:
    """The value itself: of two numbers that are one, however they are written."""
    return votes.value_of(dump_record(value), is_json=True)


def is_alike(answer: Any, gold: Any) -> bool:
    """True if the values have the same normal form."""
    return normal_forms.of_value(answer) == normal_forms.of_value(gold)


def is_right(row: GoldRow) -> bool:
    """True if all fields of a row are right by their normal forms, and none is too many."""
    return _whole(row, exact=False)


def _whole(row: GoldRow, *, exact: bool) -> bool:
    if not row.is_answered or not isinstance(row.answer, dict):
        return False
    same = is_exact if exact else is_alike
    gold: GoldRecord = row.gold
    others = row.answer.keys() - gold.fields.keys() if gold.is_whole else ()
    if any(exact or row.answer[name] not in _EMPTY for name in others):
        return False
    return all(_holds(row.answer, name, value, same) for name, value in gold.fields.items())


def _holds(answer: Mapping[str, Any], name: str, gold: Any, same: Any) -> bool:
    """True if the answer has a field, with this value. One that it leaves out is like null only to
    the normal form."""
    if name not in answer and same is is_exact:
        return False
    return bool(same(answer.get(name), gold))


def _matches(rows: Sequence[GoldRow], name: str, *, exact: bool) -> "Numbers":
    import numpy as np  # not before it is needed: its import takes longer than most commands

    same = is_exact if exact else is_alike
    return np.array(
        [
            isinstance(row.answer, dict)
            and name in row.gold.fields
            and _holds(row.answer, name, row.gold.fields[name], same)
            for row in rows
        ],
        dtype=bool,
    )


def overall(rows: Sequence[GoldRow], sample: Sample, within: "Numbers") -> list[Figure]:
    """Shares of right records and fields, of the rows `within` a group."""
    import numpy as np

    names = [name for name in fields_of(rows) if any(name in row.gold.fields for row in rows)]
    of, by = int(within.sum()), figures.share_by(sample)
    made = []
    answered = within & [row.is_answered for row in rows]
    for name, exact in (("record_exact", True), ("record_normalised", False)):
        hits = np.array([_whole(row, exact=exact) for row in rows], dtype=bool)
        found = estimates.share(hits, sample, within)
        made.append(figures.of_interval(name, found, of, by))
        alone = estimates.share(hits, sample, answered)
        made.append(figures.of_interval(f"{name}_answered", alone, int(answered.sum()), by))
    for name, exact in (("exact", True), ("normalised", False)):
        has = np.array([[each in row.gold.fields for each in names] for row in rows], dtype=float)
        hits = np.stack([_matches(rows, each, exact=exact) for each in names], axis=1)
        parts = np.concatenate([hits, has], axis=1) * within[:, None]
        statistics = {f"micro_{name}": _micro(len(names)), f"macro_{name}": _macro(len(names))}
        for figure, found in estimates.of_sums(statistics, parts, sample).items():
            made.append(figures.of_interval(figure, found, of, "bootstrap"))
    return made


def _micro(count: int) -> estimates.Statistic:
    def micro(sums: "Numbers") -> "Numbers":
        found: Numbers = sums[..., :count].sum(axis=-1) / sums[..., count:].sum(axis=-1)
        return found

    return micro


def _macro(count: int) -> estimates.Statistic:
    import numpy as np

    def macro(sums: "Numbers") -> "Numbers":
        hits, has = sums[..., :count], sums[..., count:]
        each = np.where(has > 0, hits / np.where(has > 0, has, 1), 0.0)
        found: Numbers = each.sum(axis=-1) / (has > 0).sum(axis=-1)
        return found

    return macro


def of_fields(rows: Sequence[GoldRow], sample: Sample) -> list[FieldFigures]:
    """The figures of each field, as gold first has it."""
    import numpy as np

    by, found = figures.share_by(sample), []
    for name in fields_of(rows):
        has = np.array([name in row.gold.fields for row in rows], dtype=bool)
        filled = [has[at] and row.gold.fields[name] not in _EMPTY for at, row in enumerate(rows)]
        given = [
            isinstance(row.answer, dict) and row.answer.get(name) not in _EMPTY for row in rows
        ]
        shares = [
            figures.of_interval(
                f"{kind}[{name}]",
                estimates.share(_matches(rows, name, exact=kind == "exact"), sample, has),
                int(has.sum()),
                by,
            )
            for kind in ("exact", "normalised")
        ]
        pairs = [
            pair
            for pair, row in zip(zip(filled, given, strict=True), rows, strict=True)
            if row.is_answered
        ]
        missing = sum(gold and not answer for gold, answer in pairs)
        extra = sum(answer and not gold for gold, answer in pairs)
        found.append(FieldFigures(name, int(has.sum()), missing, extra, *shares))
    return found
