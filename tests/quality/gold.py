"""Rows with gold for tests of figures."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from llmbatch.quality.figures import Figure, GoldRow, sample_of

NO = object()
"""The answer of a row that has none."""


def rows_of(
    gold: Sequence[Any], answers: Sequence[Any], weights: Sequence[float] | None = None
) -> list[GoldRow]:
    """Rows with these right answers and answers."""
    return [
        GoldRow(
            row=place,
            id=str(place),
            line=place,
            is_answered=answer is not NO,
            answer=None if answer is NO else answer,
            gold=right,
            weight=None if weights is None else weights[place - 1],
        )
        for place, (right, answer) in enumerate(zip(gold, answers, strict=True), 1)
    ]


def measured(module: Any, rows: list[GoldRow], *more: Any) -> dict[str, Figure]:
    """The figures over all rows, by name."""
    everything = np.ones(len(rows), dtype=bool)
    found = module.overall(rows, sample_of(rows), everything, *more)
    return {figure.name: figure for figure in found}


def value_of(figure: Figure) -> float:
    """The value of a figure that has one, within its bounds."""
    assert figure.value is not None
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low <= figure.value <= figure.high
    return figure.value
