"""The changes of a run of a job against the one before that came to its end."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from pydantic import TypeAdapter

from llmbatch.core import interval
from llmbatch.quality import shift
from llmbatch.quality.shift import Stability
from llmbatch.store.editions import FieldValue, RowChanges


@dataclass(frozen=True, slots=True)
class LabelShift:
    """The values of a field of the answers (None: of all of each) against those before."""

    field: str | None
    stability: Stability


@dataclass(frozen=True, slots=True)
class Changes:
    """A run against the one before: that run's number, and when it came to its end (UTC, ISO
    8601). `churn`: the share of the `compared_rows`, which are answered in both and have the same
    input, whose answer is another one, with its interval; None without such rows. `labels`: the
    fields of labels, with their stability."""

    run_before: int
    before: str
    rows: RowChanges
    churn: float | None
    churn_low: float | None
    churn_high: float | None
    labels: list[LabelShift]

    def to_json(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_view(cls, view: Mapping[str, Any]) -> "Changes":
        """From a live view, which has the same fields."""
        return TypeAdapter(cls).validate_python(view)

    @classmethod
    def from_json(cls, text: str) -> "Changes":
        return TypeAdapter(cls).validate_json(text)


def of_rows(run: int, before: str, rows: RowChanges, labels: list[LabelShift]) -> Changes:
    """The changes against a run, with the churn that these rows have."""
    if not rows.compared_rows:
        return Changes(run, before, rows, None, None, None, labels)
    share = interval.share(rows.changed_answers, rows.compared_rows)
    return Changes(run, before, rows, share.expected, share.low, share.high, labels)


def label_shifts(before: Sequence[FieldValue], after: Sequence[FieldValue]) -> list[LabelShift]:
    """The shifts of the fields that are labels on both sides."""
    former, latter = _by_field(before), _by_field(after)
    found = []
    for field in sorted(former.keys() & latter.keys(), key=lambda name: name or ""):
        stability = shift.stability(former[field], latter[field])
        if stability is not None:
            found.append(LabelShift(field, stability))
    return found


def _by_field(values: Sequence[FieldValue]) -> dict[str | None, dict[str, int]]:
    fields: dict[str | None, dict[str, int]] = {}
    for each in values:
        fields.setdefault(each.field, {})[each.value] = each.rows
    return fields
