"""The models of a cascade in words and as a table."""

from collections.abc import Iterator

from llmbatch.accounting.stages import CascadeUse, StageUse
from llmbatch.core import units
from llmbatch.reports.table import NONE, Table, TableLine, places

_HEADER = (
    "stage", "model", "rows", "answered", "failed", "went on", "below",
    "prompt tokens", "output tokens", "device time", "cost", "cost per 1,000 rows",
)  # fmt: skip


def lines(used: CascadeUse | None, currency: str) -> Iterator[str]:
    """The lines on the stages at the head of a report; none without a cascade."""
    if used is None:
        return
    ended = ", ".join(f"{each.answered:,} by {each.model}" for each in used.stages)
    rate = used.escalation_rate
    went = "" if rate is None else f"; {units.share(rate)} went on from the first"
    yield f"answered {ended}{went}"
    if used.share is not None and used.last_for_all is not None:
        spent, other = (_amount(of, used, currency) for of in (used.spent, used.last_for_all))
        yield (
            f"{units.share(used.share)} of the cost of {used.stages[-1].model} for all rows "
            f"({spent} of {other}, estimated by what it took for the rows that it was asked)"
        )


def table(used: CascadeUse | None, currency: str) -> Table:
    """The stages, one a line; empty without a cascade."""
    header = [*_HEADER]
    if used is None:
        return Table("stages", "Models of the cascade", header, [])
    notes = list(lines(used, currency))
    return Table(
        key="stages",
        title="Models of the cascade",
        header=header,
        lines=[_line(each, currency) for each in used.stages],
        texts=places(header, "model"),
        notes=notes,
    )


def _line(each: StageUse, currency: str) -> TableLine:
    counts = [each.asked, each.answered, each.failed, each.escalated]
    below = NONE if each.escalate_below is None else f"{each.escalate_below:g}"
    money = NONE if each.cost is None else units.money(each.cost, currency)
    per_row = (
        NONE
        if each.cost is None or not each.asked
        else units.money(1000 * each.cost / each.asked, currency)
    )
    return TableLine(
        [
            str(each.stage),
            each.model,
            *map(units.number, counts),
            below,
            units.number(each.prompt_tokens),
            units.number(each.output_tokens),
            units.seconds(each.device_seconds),
            money,
            per_row,
        ]
    )


def _amount(value: float, used: CascadeUse, currency: str) -> str:
    return units.money(value, currency) if used.unit == "money" else units.seconds(value)
