"""Figures of vectors: how many of the rows that belong together are found among the nearest.

The recall at k of a row is the share of the rows that belong to it which are among the k rows of
the highest cosine to it, itself left out, of all answered rows of the job; the figure is the mean
over the rows with gold. Gold names another row by its id, in all rows, or else a group: rows with
the same gold belong together. A row without a vector finds nothing and is not found.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from llmbatch.core.errors import UsageError
from llmbatch.core.exact_json import cell
from llmbatch.quality import estimates, figures
from llmbatch.quality.answers import RowAnswer
from llmbatch.quality.estimates import Sample
from llmbatch.quality.figures import Figure, GoldRow

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[Any]

AT = (1, 5, 10)
_BLOCK = 256


class Corpus:
    """The ids and vectors of all answered rows."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._vectors: list[Numbers] = []

    def watched(self, rows: Iterable[RowAnswer]) -> Iterable[RowAnswer]:
        """The rows, whose vectors are kept on their way; of the rows none is needed any more."""
        for row in rows:
            if row.is_answered:
                try:
                    self._vectors.append(row.vector)
                except (TypeError, ValueError) as error:
                    raise UsageError(
                        f"--as pairs: the answer of row {row.id} is no vector"
                    ) from error
                self.ids.append(row.id)
                row.response = None
            yield row

    @property
    def vectors(self) -> "Numbers":
        """One a row."""
        import numpy as np  # not before it is needed: its import takes longer than most commands

        return np.stack(self._vectors) if self._vectors else np.zeros((0, 0), dtype=np.float32)


def partners(rows: Sequence[GoldRow], ids: Sequence[str]) -> list[set[str]]:
    """The ids of the rows that belong to each row; `ids`: those of all rows of the job."""
    known = set(ids) | {row.id for row in rows}
    golds = [cell(row.gold).strip() for row in rows]
    found: dict[str, set[str]] = {row.id: set() for row in rows}
    if all(gold in known for gold in golds):
        for row, gold in zip(rows, golds, strict=True):
            found[row.id].add(gold)
            found.setdefault(gold, set()).add(row.id)
    else:
        groups: dict[str, set[str]] = {}
        for row, gold in zip(rows, golds, strict=True):
            groups.setdefault(gold, set()).add(row.id)
        for row, gold in zip(rows, golds, strict=True):
            found[row.id] = groups[gold]
    return [found[row.id] - {row.id} for row in rows]


def recalls(
    rows: Sequence[GoldRow], wanted: Sequence[set[str]], ids: Sequence[str], vectors: "Numbers"
) -> "Numbers":
    """The recalls of each row (rows x AT), NaN where none belongs to it. `vectors`: of the answered
    rows of the job, which have these `ids`."""
    import numpy as np  # not before it is needed: its import takes longer than most commands

    places = {name: place for place, name in enumerate(ids)}
    found = np.full((len(rows), len(AT)), np.nan)
    found[[bool(names) for names in wanted]] = 0.0
    if not len(vectors):
        return found
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.where(lengths > 0, lengths, 1)
    asked = [at for at, row in enumerate(rows) if wanted[at] and row.id in places]
    for start in range(0, len(asked), _BLOCK):
        block = asked[start : start + _BLOCK]
        own = [places[rows[at].id] for at in block]
        likeness = units[own] @ units.T
        likeness[np.arange(len(own)), own] = -np.inf
        most = min(max(AT), len(ids) - 1)
        order = np.argsort(-likeness, axis=1, kind="stable")[:, :most]
        for at, nearest in zip(block, order, strict=True):
            hits = [ids[place] in wanted[at] for place in nearest]
            found[at] = [sum(hits[:k]) / len(wanted[at]) for k in AT]
    return found


def overall(
    rows: Sequence[GoldRow], sample: Sample, within: "Numbers", each: "Numbers"
) -> list[Figure]:
    """The mean recalls of the rows `within` a group; `each`: those of every row."""
    import numpy as np

    counted = within & np.isfinite(each[:, 0])
    made = []
    for place, at in enumerate(AT):
        values = np.where(counted, each[:, place], 0.0)
        parts = np.stack([values, counted], axis=1)
        found = estimates.of_sums(
            {"recall": lambda sums: sums[..., 0] / sums[..., 1]}, parts, sample
        )["recall"]
        made.append(figures.of_interval(f"recall@{at}", found, int(counted.sum()), "bootstrap"))
    return made
