"""The words and tables of a comparison that all of its forms share."""

from collections.abc import Callable, Iterator

from llmbatch.core import units
from llmbatch.core.units import count, number
from llmbatch.quality.churn import Churn, FieldComparison, LabelComparison
from llmbatch.quality.shift import SIGNIFICANT, Test
from llmbatch.reports import wording
from llmbatch.reports.comparison import Comparison, Limit, Side, Work
from llmbatch.reports.table import NONE, Table, TableLine

_LONGEST = 40
_SIDES = ["A", "B"]


def heading(given: Comparison) -> str:
    """The two sides in one line."""
    return f"comparison: {given.a.name} (A) with {given.b.name} (B)"


def lines(given: Comparison) -> Iterator[tuple[str, list[str]]]:
    """The sentences that matter first, with a label each."""
    yield "rows", list(_rows(given))
    yield "answers", list(_answers(given))
    if shifts := list(_shifts(given)):
        yield "shifted", shifts
    if given.gold is not None:
        yield "right", list(_gold(given))
    if given.limits:
        yield "limits", [limit(each) for each in given.limits]


def _rows(given: Comparison) -> Iterator[str]:
    counts = given.matching.counts
    by = ", ".join(given.matching.by) or "their places"
    yield (
        f"{number(counts.matched)} matched by {by}; {number(counts.only_a)} only in A, "
        f"{number(counts.only_b)} only in B"
    )
    if counts.ambiguous:
        yield (
            f"{number(counts.ambiguous)} of them share {by} with others and were matched by their "
            "order: name an id column with --on"
        )
    if counts.other_input:
        changed = given.answers.changed_of_other_input
        yield (
            f"{number(counts.other_input)} matched rows have another input, so their answers are "
            f"not compared ({number(changed)} are others)"
        )
    for name, side in zip(_SIDES, (given.a, given.b), strict=True):
        if side.pending:
            yield f"of {name} {count(side.pending, 'row')} pending"


def _answers(given: Comparison) -> Iterator[str]:
    found = given.answers
    if given.churn.share is None:
        yield "no pair with the same input is answered on both sides"
    elif not found.changed:
        yield f"of {count(found.compared, 'answer')} none changed"
    else:
        of = count(found.compared, "answer")
        yield f"{number(found.changed)} of {of} changed: {share(given.churn)}"
    parts = {"newly failed": found.newly_failed, "newly answered": found.newly_answered}
    if told := [f"{number(rows)} {what}" for what, rows in parts.items() if rows]:
        yield ", ".join(told)
    if given.vectors is not None:
        yield (
            f"cosine between the vectors: median {given.vectors.median:.4f}, least "
            f"{given.vectors.least:.4f}; below {given.vectors.threshold} counts as changed"
        )


def share(given: Churn) -> str:
    """A share with its interval."""
    if given.share is None:
        return NONE
    return f"{units.share(given.share)} ({units.share(given.low)} to {units.share(given.high)})"


def _shifts(given: Comparison) -> Iterator[str]:
    for field in given.fields:
        found = None if field.labels is None else field.labels.stability
        if found is not None and found.level != "none":
            yield (
                f"labels of {field.field}: population stability index {found.index:.2f} "
                f"({found.level}; {found.by_chance:.2f} can be chance)"
            )


def _gold(given: Comparison) -> Iterator[str]:
    found = given.gold
    assert found is not None
    yield (
        f"of {count(found.rows, 'row')} with a right answer in {found.gold}: A {share(found.a)}, "
        f"B {share(found.b)}"
    )
    yield (
        f"{number(found.only_a)} right in A alone, {number(found.only_b)} in B alone: "
        f"{test(found.test)}"
    )


def test(given: Test | None) -> str:
    """A test in a few words."""
    if given is None:
        return NONE
    verdict = "a difference" if given.p_value < SIGNIFICANT else "may be chance"
    name = f"{given.name}'s exact test" if given.name == "McNemar" else given.name
    return f"{name}, p = {p_value(given.p_value)} ({verdict})"


def p_value(value: float) -> str:
    """A probability in two digits."""
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}"


def limit(given: Limit) -> str:
    """A limit, and whether it is kept."""
    what = "answers" if given.field is None else given.field
    sign = "within" if given.is_kept else "more than"
    return f"churn of {what} {share(given.churn)}: {sign} --max-churn {given.most}"


def tables(given: Comparison) -> list[Table]:
    """The tables in the order in which they are shown."""
    found = [_fields(given), *_labels(given), _numbers(given), _texts(given)]
    found += [_failures(given), _work(given), _flags(given)]
    return [table for table in found if table.lines]


def _fields(given: Comparison) -> Table:
    header = ["field", "compared", "changed", "share", "changed, normalised", "share"]
    shown = [
        TableLine(
            [
                each.field,
                number(each.churn.rows),
                number(each.churn.changed),
                share(each.churn),
                number(each.normalised.changed),
                share(each.normalised),
            ]
        )
        for each in given.fields
    ]
    return Table("fields", "Changed answers by field", header, shown)


def _labels(given: Comparison) -> Iterator[Table]:
    for each in given.fields:
        if each.labels is None:
            continue
        yield _values(each, each.labels)
        moves = [
            TableLine([_short(move.a), _short(move.b), number(move.rows)])
            for move in each.labels.moves
        ]
        title = f"Changed labels of {each.field}"
        yield Table(f"moves {each.field}", title, ["in A", "in B", "rows"], moves, texts=(0, 1))


def _values(field: FieldComparison, labels: LabelComparison) -> Table:
    shown = [
        TableLine([_short(each.value), number(each.a_rows), number(each.b_rows)])
        for each in labels.values
    ]
    notes = []
    if labels.stability is not None:
        notes.append(
            f"Population stability index {labels.stability.index:.3f} (from 0.1 on a shift, from "
            f"0.25 on a large one; {labels.stability.by_chance:.3f} can be chance)."
        )
    if labels.paired is not None:
        notes.append(f"Matched rows, paired: {test(labels.paired)}.")
    if labels.independent is not None:
        notes.append(f"All answered rows, as two samples: {test(labels.independent)}.")
    title = f"Labels of {field.field}"
    return Table(f"labels {field.field}", title, ["label", *_SIDES], shown, notes=notes)


def _numbers(given: Comparison) -> Table:
    header = [
        "field",
        "pairs",
        "mean A",
        "mean B",
        "median A",
        "median B",
        "rank correlation",
        "test",
    ]
    shown = []
    for each in given.fields:
        if (found := each.numbers) is not None:
            middle = (found.a_mean, found.b_mean, found.a_median, found.b_median)
            rank = NONE if found.rank_correlation is None else f"{found.rank_correlation:.3f}"
            cells = [each.field, number(found.pairs), *map(_number, middle), rank, test(found.test)]
            shown.append(TableLine(cells))
    return Table("numbers", "Fields of numbers", header, shown, texts=(0, 7))


def _number(value: float) -> str:
    return f"{value:,.4g}"


def _texts(given: Comparison) -> Table:
    header = ["field", "changed texts", "mean", "one in ten below", "median", "one in ten above"]
    shown = []
    for each in given.fields:
        if (found := each.texts) is not None:
            cells = (found.mean, found.tenth, found.median, found.ninetieth)
            shown.append(TableLine([each.field, number(found.texts), *(f"{c:.1f}" for c in cells)]))
    notes = ["chrF of a changed text to the one before: 100 is the same, 0 nothing in common."]
    return Table("texts", "How alike changed texts are", header, shown, notes=notes)


def _failures(given: Comparison) -> Table:
    shown = [
        TableLine([each.kind, number(each.a_rows), number(each.b_rows)]) for each in given.failures
    ]
    return Table("failures", "Failed rows", ["kind", *_SIDES], shown)


def _work(given: Comparison) -> Table:
    sides = (given.a, given.b)
    if all(side.work is None for side in sides):
        return Table("work", "Work", [""])
    shown = [
        TableLine([name, *(_of_side(side, read) for side in sides)])
        for name, read in _FIGURES.items()
    ]
    models = [side.model or NONE for side in sides]
    return Table("work", "Work", ["", *_SIDES], [TableLine(["model", *models]), *shown])


def _of_side(side: Side, read: Callable[[Work], str]) -> str:
    return NONE if side.work is None else read(side.work)


_FIGURES: dict[str, Callable[[Work], str]] = {
    "runs": lambda work: number(work.runs),
    "requests": lambda work: number(work.requests),
    "prompt tokens": lambda work: number(work.prompt_tokens),
    "output tokens": lambda work: number(work.output_tokens),
    "time": lambda work: units.seconds(work.seconds),
    "rows/s while generating": lambda work: units.rate(work.rows_per_second),
    "output tokens/s": lambda work: units.rate(work.output_tokens_per_second),
    "cost": lambda work: NONE if work.cost is None else units.money(work.cost, work.currency),
}


def _flags(given: Comparison) -> Table:
    works: list[Work | None] = [given.a.work, given.b.work]
    names = dict.fromkeys(name for work in works if work is not None for name in work.flags)
    shown = [
        TableLine([name, *(NONE if w is None else number(w.flags.get(name, 0)) for w in works)])
        for name in names
    ]
    return Table("flags", "Flagged rows", ["flag", *_SIDES], shown)


def _short(value: str) -> str:
    return wording.cut(wording.value(value), _LONGEST)
