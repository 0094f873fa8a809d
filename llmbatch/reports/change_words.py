"""The words about what a run changed that all forms of a report, and the live view, share."""

from collections.abc import Iterator

from llmbatch.core import units
from llmbatch.core.units import count, number
from llmbatch.quality.changes import Changes, LabelShift
from llmbatch.reports.table import NONE, Table, TableLine

# From this share of other answers on, everybody must see it.
_NOTABLE = 0.01


def is_notable(given: Changes) -> bool:
    """True if answers changed, although their input did not, or labels shifted."""
    return (given.churn or 0.0) >= _NOTABLE or any(
        each.stability.level != "none" for each in given.labels
    )


def lines(given: Changes) -> Iterator[str]:
    """The changes in sentences."""
    yield f"against {_before(given)}: {_rows(given)}"
    yield _answers(given)
    yield from (shift(each) for each in given.labels if each.stability.level != "none")


def _before(given: Changes) -> str:
    return f"run {given.run_before} of {given.before[:16].replace('T', ' ')} UTC"


def _rows(given: Changes) -> str:
    rows = given.rows
    parts = [
        f"{count(rows.same_input_rows, 'row')} with the same input",
        f"{number(rows.changed_input_rows)} with another",
        f"{number(rows.new_rows)} new",
        f"{number(rows.gone_rows)} gone",
    ]
    return ", ".join(parts)


def _answers(given: Changes) -> str:
    rows = given.rows
    if given.churn is None or given.churn_low is None or given.churn_high is None:
        return "no row with the same input is answered in both"
    text = f"of {count(rows.compared_rows, 'answer')} to the same input none changed"
    if rows.changed_answers:
        bounds = f"{units.share(given.churn_low)} to {units.share(given.churn_high)}"
        text = (
            f"{number(rows.changed_answers)} of {count(rows.compared_rows, 'answer')} to the same "
            f"input changed: {units.share(given.churn)} ({bounds} of such rows)"
        )
    more = {"newly failed": rows.newly_failed, "newly answered": rows.newly_answered}
    return text + "".join(f"; {number(rows)} {what}" for what, rows in more.items() if rows)


def next_steps(given: Changes, output: str) -> list[str]:
    """The way to see the answers that changed; empty where few did, and without a file."""
    if output == "-" or (given.churn or 0.0) < _NOTABLE:
        return []
    job = f"llmbatch compare {output}@{given.run_before} {output}"
    return [f"to see the answers that changed: {job} --changed changed.csv"]


def shift(given: LabelShift) -> str:
    """A field whose labels shifted."""
    found = given.stability
    return (
        f"the labels of {given.field or 'the answers'} shifted: population stability index "
        f"{found.index:.2f} ({found.level}; {found.by_chance:.2f} can be chance)"
    )


def table(given: Changes | None) -> Table:
    """The labels of the answers, before and now."""
    header = ["labels of", "stability index", "by chance at most", "shift"]
    title = "Changes since the run before"
    if given is None:
        return Table("changes", title, header)
    shown = [
        TableLine(
            [
                each.field or "the answers",
                f"{each.stability.index:.3f}",
                f"{each.stability.by_chance:.3f}",
                each.stability.level if each.stability.level != "none" else NONE,
            ]
        )
        for each in given.labels
    ]
    notes = [f"{text[0].upper()}{text[1:]}." for text in lines(given)]
    return Table("changes", title, header, shown, texts=(0, 3), notes=notes)
