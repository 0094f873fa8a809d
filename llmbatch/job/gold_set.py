"""The table [eval]: the gold set of the job, which is run first, and what it has to reach."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from llmbatch import formats
from llmbatch.job.fields import Section, Spelled, neutral

FIRST = 200
"""Rows with a right answer that run first, where the job does not say how many."""


def thresholds(value: Any) -> Any:
    """Figures with their least values: a table, `accuracy=0.95,f1=0.9`, or a list of such texts.
    A value may be a share in percent (95%). Raises ValueError."""
    if isinstance(value, Mapping):
        return {str(name): _number(str(name), number) for name, number in value.items()}
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        return value
    found = dict[str, float]()
    for name, number in _pairs(texts):
        if name in found:
            raise ValueError(f"names {name} twice")
        found[name] = _number(name, number)
    return found


def _pairs(texts: Iterable[Any]) -> Iterable[tuple[str, str]]:
    for part in (part for text in texts for part in str(text).split(",") if part.strip()):
        name, equals, number = part.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"{part.strip()!r}: write a figure and its least value: accuracy=0.95")
        yield name.strip(), number.strip()


def _number(name: str, value: Any) -> float:
    if isinstance(value, str) and value.endswith("%"):
        return _number(name, value[:-1].strip()) / 100
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not math.isfinite(number):
        raise ValueError(f"the least value of {name} is a number or a share: 0.95 or 95%")
    return number


Thresholds = Annotated[
    dict[str, float],
    Spelled("figures with their least values: {accuracy = 0.95}"),
    BeforeValidator(thresholds),
]
"""The type of a field that holds least values by the names of figures."""


class GoldSetSpec(Section):
    """The right answers, how they are joined to the rows, and what is expected of the answers."""

    gold: str | None = neutral(
        None,
        "Right answers: a column of the input, or a file of rows with them.",
        by_default="the column of --gold",
        min_length=1,
    )
    on: str | None = neutral(
        None,
        "Column by which the rows of a gold file are found in the input.",
        by_default="the id column, else the columns that both have",
        min_length=1,
    )
    first: int | None = neutral(
        None,
        "So many rows with a right answer run first; where they do not reach the least figures, "
        "the run stops with exit code 6 before the rest is paid for.",
        by_default=f"{FIRST}, where there are least figures",
        ge=1,
        lt=2**31,
    )
    min: Thresholds = neutral(
        {},
        "Least value of a figure (accuracy=0.95), which the lower bound of its 95 % interval has "
        "to reach.",
    )

    @property
    def rows_first(self) -> int:
        """The rows with a right answer that run first."""
        return FIRST if self.first is None else self.first

    @property
    def is_gate(self) -> bool:
        """True if the gold set decides on whether the rest is run."""
        return bool(self.min)


def names_file(gold: str, folder: Path = Path()) -> bool:
    """True if right answers of this name are in a file, not in a column of the input."""
    if formats.is_known(gold) or Path(gold).name != gold:
        return True
    try:
        return (folder / gold).is_file()
    except (OSError, ValueError):  # a name that no file could have
        return False
