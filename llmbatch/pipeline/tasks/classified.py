"""A label with its confidence: the columns of every classification, and their values.

- `response`: the likeliest label; of equal ones the first.
- `confidence`: its probability among the labels, from 0 to 1.
- `label_mass`: the probability that the model gave to all labels together, where it could have said
  something else; null for a classification head, which can say nothing else.
- `runner_up`, `runner_up_confidence`: the next label, and its probability.
"""

from collections.abc import Mapping, Sequence
from typing import Any

FIELDS: Mapping[str, str] = {
    "response": "text",
    "confidence": "number",
    "label_mass": "number",
    "runner_up": "text",
    "runner_up_confidence": "number",
}
"""The columns, and their types."""


def fields(
    labels: Sequence[str], probabilities: Sequence[float], mass: float | None
) -> dict[str, Any]:
    """The values of the columns for labels with these probabilities."""
    order = ranked(probabilities)
    first, second = order[0], order[1] if len(order) > 1 else None
    return {
        "response": labels[first],
        "confidence": probabilities[first],
        "label_mass": mass,
        "runner_up": None if second is None else labels[second],
        "runner_up_confidence": None if second is None else probabilities[second],
    }


def ranked(probabilities: Sequence[float]) -> list[int]:
    """The places of the labels, the likeliest first."""
    return sorted(range(len(probabilities)), key=lambda place: -probabilities[place])
