"""The words and tables about answers against gold that all forms of that report share."""

from collections.abc import Iterator, Sequence

from llmbatch.core.units import count, number
from llmbatch.quality.evaluation import ECE, Evaluation, Threshold
from llmbatch.quality.figures import Figure
from llmbatch.reports import made_by_words, wording
from llmbatch.reports.calibration_words import bins, percent
from llmbatch.reports.evaluation import EvaluationReport
from llmbatch.reports.table import NONE, Table, TableLine

_LONGEST = 40
# The figures that a table of groups has room for.
_OF_GROUPS = {
    "label": ("accuracy", "macro_f1"),
    "json": ("record_normalised", "micro_normalised"),
    "text": ("normalised", "token_f1", "chrf"),
    "pairs": ("recall@1", "recall@10"),
    "score": ("roc_auc", "average_precision", "ndcg"),
    "ranking": ("ndcg", "ndcg@10"),
}
_FIRST = {kind: names[0] for kind, names in _OF_GROUPS.items()} | {"text": "normalised"}
_METHODS = {
    "wilson": "Wilson",
    "strata": "Wilson by strata",
    "bootstrap": "bootstrap",
    "none": NONE,
}
_CHRF = "chrf"


def heading(report: EvaluationReport) -> str:
    """The job, and how many of its rows could be judged."""
    found = report.evaluation.counts
    return f"{report.job}: {found.judged:,} of {count(found.gold_rows, 'gold row')} judged"


def amount(figure: Figure | None) -> str:
    """The value of a figure."""
    return NONE if figure is None or figure.value is None else _digits(figure.name, figure.value)


def bounds(figure: Figure | None) -> str:
    """The value of a figure with its bounds."""
    if figure is None or figure.low is None or figure.high is None:
        return amount(figure)
    low, high = (_digits(figure.name, each) for each in (figure.low, figure.high))
    return f"{amount(figure)} ({low} to {high})"


def _digits(name: str, value: float) -> str:
    return f"{value:.1f}" if name == _CHRF else f"{value:.3f}"


def lines(report: EvaluationReport) -> Iterator[str]:
    """The outcome in sentences, what matters most first."""
    found = report.evaluation
    yield from map(threshold, found.thresholds)
    first = found.every_figure().get(_FIRST[found.kind])
    if first is not None:
        yield f"{first.name} {bounds(first)}"
    answered = found.every_figure().get(f"{_FIRST[found.kind]}_answered")
    lost = found.counts.failed + found.counts.skipped
    if answered is not None and lost:
        yield (
            f"{count(lost, 'gold row')} without an answer ({found.counts.failed:,} failed, "
            f"{found.counts.skipped:,} skipped) count as wrong; of the answered ones alone "
            f"{bounds(answered)}"
        )
    yield from _counts(found)
    if found.is_weighted:
        yield (
            "rows count with their sample_weight, by sample_stratum: the figures are estimates for "
            "all rows that the sample was drawn from"
        )
    yield from found.notes


def threshold(given: Threshold) -> str:
    """A figure that something was asked of."""
    if given.low is None:
        return f"not met: {given.figure} at least {given.least:g}; there is no figure to judge by"
    name = given.figure
    low, value = _digits(name, given.low), _digits(name, given.value or 0.0)
    if given.met:
        return f"met: {name} at least {given.least:g}; it is {value}, and its lower bound {low}"
    return f"not met: {name} at least {given.least:g}; it is {value}, but its lower bound {low}"


def _counts(found: Evaluation) -> Iterator[str]:
    counts = found.counts
    if counts.pending:
        yield f"{count(counts.pending, 'gold row')} pending: not judged yet"
    if counts.unmatched:
        some = ", ".join(counts.examples)
        yield f"{count(counts.unmatched, 'gold row')} found no row of the job, such as {some}"
    if counts.duplicates:
        conflicts = f", {counts.conflicts:,} of them with another answer" * bool(counts.conflicts)
        rows = count(counts.duplicates, "gold row")
        yield f"{rows} for a row that has one already{conflicts}: the first counts"
    if counts.several:
        yield f"{count(counts.several, 'gold row')} found several rows: the first of each counts"
    if counts.blank:
        yield f"{count(counts.blank, 'row')} of the gold file without a right answer left out"
    if counts.without:
        yield f"{count(counts.without, 'answered row')} without gold"
    if counts.unweighted:
        yield f"{count(counts.unweighted, 'gold row')} without a sample_weight counted once"
    if counts.lost_strata:
        strata = ", ".join(map(wording.value, counts.lost_strata[:5]))
        yield f"no row with gold in stratum {strata}: the figures are those of the others"


def tables(report: EvaluationReport, most: int) -> list[Table]:
    """The figures, those of labels or fields, the confusion, the calibration and the groups, each
    with so many lines at most."""
    found = report.evaluation
    made = [_figures(found), _groups(found, most), _labels(found, most), _fields(found, most)]
    made += [_confusion(found, most), _calibration(found), made_by_words.table(report.made_by)]
    return [table for table in made if table.lines]


def _figures(found: Evaluation) -> Table:
    shown = [
        TableLine(
            [
                each.name,
                amount(each),
                *(NONE if each.low is None else _digits(each.name, each.low),),
                *(NONE if each.high is None else _digits(each.name, each.high),),
                number(each.rows),
                _METHODS.get(each.by, each.by),
            ]
        )
        for each in found.figures
    ]
    header = ["figure", "value", "95 % from", "to", "rows", "interval by"]
    of = f"Compared as {found.kind}; bounds of 95 %."
    ece = f" {ECE}: the expected calibration error, better when small." if found.reliability else ""
    return Table("figures", "Figures", header, shown, texts=(0, 5), notes=[of + ece])


def _labels(found: Evaluation, most: int) -> Table:
    header = ["label", "gold rows", "answered so", "right", "precision", "recall", "F1"]
    shown = [
        TableLine(
            [
                _named(each.label),
                number(each.gold_rows),
                number(each.answered_rows),
                number(each.right_rows),
                bounds(each.precision),
                bounds(each.recall),
                bounds(each.f1),
            ]
        )
        for each in found.labels[:most]
    ]
    return Table("labels", "By label", header, shown, notes=_more(len(found.labels) - most))


def _fields(found: Evaluation, most: int) -> Table:
    header = ["field", "gold rows", "exact", "normalised", "missing", "too many"]
    shown = [
        TableLine(
            [
                _named(each.field),
                number(each.rows),
                bounds(each.exact),
                bounds(each.normalised),
                number(each.missing),
                number(each.extra),
            ]
        )
        for each in found.fields[:most]
    ]
    notes = [
        "Missing: gold has a value and the answer none; too many: the other way round.",
        *_more(len(found.fields) - most),
    ]
    return Table("fields", "By field", header, shown, notes=notes)


def _confusion(found: Evaluation, most: int) -> Table:
    given = found.confusion
    if given is None or len(given.answers) > most:
        return Table("confusion", "Confusion", ["gold"])
    header = ["gold \N{RIGHTWARDS ARROW} answer", *map(_named, given.answers)]
    shown = [
        TableLine([_named(label), *map(number, row)])
        for label, row in zip(given.gold, given.rows, strict=True)
    ]
    notes = ["Numbers of rows, without weights."] if found.is_weighted else []
    return Table("confusion", "Confusion", header, shown, notes=notes)


def _calibration(found: Evaluation) -> Table:
    header = ["confidence", "rows", "mean confidence", "right"]
    if found.reliability is None:
        return Table("calibration", "Calibration", header)
    given = found.reliability
    note = f"Expected calibration error {percent(given.error)}, of answered rows."
    return Table("calibration", "Calibration", header, bins(given), notes=[note])


def _groups(found: Evaluation, most: int) -> Table:
    names = _OF_GROUPS[found.kind]
    header = [*found.by, "rows", *names]
    shown = []
    for group in found.groups[:most]:
        by_name = {figure.name: figure for figure in group.figures}
        cells = [bounds(by_name.get(name)) for name in names]
        shown.append(TableLine([*map(_named, group.values), number(group.rows), *cells]))
    texts = range(len(found.by))
    notes = _more(len(found.groups) - most)
    return Table("groups", f"By {' and '.join(found.by)}", header, shown, texts, notes)


def _named(value: str) -> str:
    return wording.cut(wording.value(value), _LONGEST)


def _more(rest: int) -> Sequence[str]:
    return [f"And {rest:,} more, which the JSON has."] if rest > 0 else []
