"""The words about right answers and their confidence that all forms of a report share."""

from collections.abc import Iterator

from llmbatch.core import units
from llmbatch.core.units import count, number
from llmbatch.quality.reliability import Reliability
from llmbatch.reports import wording
from llmbatch.reports.calibration import Calibration
from llmbatch.reports.table import NONE, Table, TableLine

_LONGEST = 40


def lines(given: Calibration) -> Iterator[str]:
    """Accuracy and calibration in sentences."""
    column = wording.cut(wording.value(given.column), _LONGEST)
    bounds = f"{percent(given.accuracy_low)} to {percent(given.accuracy_high)}"
    yield (
        f"{percent(given.accuracy)} right ({bounds} of such rows) of "
        f"{count(given.rows, 'row')} with a label in {column}"
    )
    yield (
        f"mean confidence {percent(given.confidence)}; expected calibration error "
        f"{percent(given.error)}"
    )
    if given.rows_without:
        yield f"{count(given.rows_without, 'answered row')} without one"
    if given.unknown_rows:
        yield (
            f"the label of {count(given.unknown_rows, 'row')} is none of the job's, so no answer "
            "there could be right"
        )


def percent(value: float) -> str:
    """A share with a digit after the point."""
    return f"{100 * value:.1f} %"


def tables(given: Calibration | None) -> list[Table]:
    """The calibration by confidence, and the labels."""
    return [_bins(given), _labels(given)]


def _bins(given: Calibration | None) -> Table:
    header = ["confidence", "rows", "mean confidence", "right"]
    if given is None:
        return Table("calibration", "Calibration", header)
    notes = [f"{text[0].upper()}{text[1:]}." for text in lines(given)]
    return Table("calibration", "Calibration", header, bins(given), notes=notes)


def bins(given: Calibration | Reliability) -> list[TableLine]:
    """A line for each part of the confidence with rows, and one for all: rows, mean confidence, and
    the share of right ones."""
    shown = [
        TableLine(
            [
                f"{each.low:.1f} to {each.high:.1f}",
                number(each.rows),
                percent(each.confidence),
                percent(each.accuracy),
            ]
        )
        for each in given.bins
    ]
    total = [number(given.rows), percent(given.confidence), percent(given.accuracy)]
    return [*shown, TableLine(["all", *total], "sum")]


def _labels(given: Calibration | None) -> Table:
    header = ["label", "rows of it", "answered so", "right", "precision", "recall"]
    shown = [
        TableLine(
            [
                wording.cut(wording.value(each.label), _LONGEST),
                number(each.gold_rows),
                number(each.answered_rows),
                number(each.right_rows),
                _part(each.right_rows, each.answered_rows),
                _part(each.right_rows, each.gold_rows),
            ]
        )
        for each in (given.labels if given else ())
    ]
    return Table("right labels", "Right answers by label", header, shown)


def _part(rows: int, of: int) -> str:
    return units.share(rows / of) if of else NONE
