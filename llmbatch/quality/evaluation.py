"""The figures of a job's answers against gold, as one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from llmbatch.core.errors import UsageError, nearest
from llmbatch.quality.figures import Figure, Kind
from llmbatch.quality.gold_rows import GoldCounts, GoldSource
from llmbatch.quality.label_figures import Confusion, LabelFigures
from llmbatch.quality.record_figures import FieldFigures
from llmbatch.quality.reliability import Reliability

ECE = "ece"
"""The expected calibration error, the only figure that is better when it is small."""


@dataclass(frozen=True, slots=True)
class EvalOptions:
    """`kind`: of figures, None: as answers and gold are; `by`: columns of groups; `field`: of a
    JSON answer, which is looked at alone; `group_by`: the column of the rows that are ranked
    together."""

    gold: GoldSource
    kind: Kind | None = None
    by: tuple[str, ...] = ()
    field: str | None = None
    group_by: str | None = None


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """The figures of the rows with these values in the columns `by`."""

    values: list[str]
    rows: int
    figures: list[Figure]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A figure that has to reach `least`: it is `met` if the lower bound of its interval does."""

    figure: str
    least: float
    value: float | None
    low: float | None
    met: bool


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of a job's answers whose right ones are known, each with the bounds of 95 %.

    `kind`: how they were compared; `is_weighted`: rows count with the weights of the gold file.
    `figures` are over all rows; beside them, where there are some, `labels` and `confusion`,
    `fields` of JSON, the `reliability` of the confidence, and `groups` by the columns `by`.
    `thresholds`: those that were asked for. `notes`: sentences about what the figures are of.
    """

    kind: Kind
    is_weighted: bool
    counts: GoldCounts
    figures: list[Figure]
    labels: list[LabelFigures] = field(default_factory=list)
    confusion: Confusion | None = None
    fields: list[FieldFigures] = field(default_factory=list)
    reliability: Reliability | None = None
    by: list[str] = field(default_factory=list)
    groups: list[GroupFigures] = field(default_factory=list)
    thresholds: list[Threshold] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_met(self) -> bool:
        """True if every figure reaches what was asked for."""
        return all(each.met for each in self.thresholds)

    def every_figure(self) -> dict[str, Figure]:
        """All figures over all rows, by name: those of labels and fields, too."""
        found = list(self.figures)
        for label in self.labels:
            found += [label.precision, label.recall, label.f1]
        for each in self.fields:
            found += [each.exact, each.normalised]
        return {figure.name: figure for figure in found}

    def with_thresholds(self, least: Mapping[str, float]) -> "Evaluation":
        """The same, held to least values. Raises UsageError for a figure that it does not have."""
        known = self.every_figure()
        made = []
        for name, value in least.items():
            if name == ECE:
                raise UsageError("--min ece: it is better when it is smaller; leave it out")
            if name not in known:
                raise UsageError(
                    f"--min: no figure {name!r}{nearest(name, known)}; there are "
                    f"{', '.join(each.name for each in self.figures)}"
                )
            found = known[name]
            met = found.low is not None and found.low >= value
            made.append(Threshold(name, value, found.value, found.low, met))
        return replace(self, thresholds=made)
