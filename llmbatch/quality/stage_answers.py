"""Rows of a cascade with the answers of its first and its last model, and the right one."""

from collections.abc import Iterable, Mapping
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.quality import answers, label_figures
from llmbatch.quality.answer_form import AnswerForm
from llmbatch.quality.cascade import BothAnswers
from llmbatch.quality.figures import GoldRow
from llmbatch.store.cascade import StageAnswer


def join(
    gold: Iterable[GoldRow],
    first: Mapping[int, StageAnswer],
    last: Mapping[int, StageAnswer],
    form: AnswerForm,
) -> list[BothAnswers]:
    """The gold rows that were asked for, with the answers of both models. Raises UsageError where
    one of the models was not asked for all of them."""
    known = [row for row in gold if row.row in first]
    missing = sum(row.row not in last for row in known)
    if missing:
        raise UsageError(
            f"--cascade: {missing:,} of {len(known):,} gold rows have no answer of the last model, "
            "and those that went on are not like the others: run the gold rows with --all-stages"
        )
    return [_both(row, first[row.row], last[row.row], form) for row in known]


def _both(row: GoldRow, first: StageAnswer, last: StageAnswer, form: AnswerForm) -> BothAnswers:
    label, fields = _read(first, form)
    confidence = fields.get("confidence")
    return BothAnswers(
        id=row.id,
        confidence=None if confidence is None else float(confidence),
        is_first_right=_is_right(label, row),
        is_last_right=_is_right(_read(last, form)[0], row),
        weight=row.weight,
        stratum=row.stratum,
    )


def _is_right(label: Any, row: GoldRow) -> bool:
    return label is not None and label_figures.label_of(label) == label_figures.label_of(row.gold)


def _read(found: StageAnswer, form: AnswerForm) -> tuple[Any, Mapping[str, Any]]:
    """The answer of a stage and what stands beside it; None where it failed."""
    return (None, {}) if found.answer is None else answers.read(found.answer, form)
