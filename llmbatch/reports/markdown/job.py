"""The report as GitHub-flavoured Markdown, for the summary of a CI job."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from llmbatch.accounting.attribution import Attribution, Share
from llmbatch.accounting.costs import Costs
from llmbatch.accounting.device_share import DeviceShare
from llmbatch.accounting.usage import RunUsage, TotalUsage
from llmbatch.core import units
from llmbatch.reports import rounding, wording
from llmbatch.reports.markdown.markup import escaped, table
from llmbatch.reports.report import Report

_SHOWN_SHARES = 20
_SHOWN_RUNS = 10
_SHOWN_CAUSES = 5
_LONGEST = 160
_NONE = "-"


def render(report: Report) -> str:
    """A heading with the outcome, then tables: a screen or two."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    counts, last = report.counts, report.runs[-1]
    yield f"## {counts.answered:,} of {units.count(report.rows_in, 'row')} answered"
    yield ""
    yield (
        f"From {escaped(report.input)} to **{escaped(report.output)}**, model "
        f"{escaped(report.model)}. Last run: {escaped(last.reason, _LONGEST)}{_exit_code(last)}."
    )
    yield ""
    yield from table(
        ("rows in", "answered", "failed", "rejected", "pending", "duplicates", "reused"),
        [
            [
                units.number(rows)
                for rows in (
                    report.rows_in,
                    counts.answered,
                    counts.failed,
                    counts.rejected,
                    counts.pending,
                    report.duplicates.rows,
                    report.reused,
                )
            ]
        ],
        texts=(),
    )
    yield from _failures(report)
    yield from _figures(report)
    yield from _phases(report)
    yield from _savings(report)
    if report.attribution is not None:
        yield from _shares(report.attribution, report.currency)
        if report.attribution.total is None:
            yield from ("", f"By device time, without money: {wording.no_money(report.runs)}.")
    if report.limit is not None:
        yield from _limit(report.limit)
    yield from _runs(report)


def _exit_code(run: RunUsage) -> str:
    return "" if run.exit_code is None else f" (exit code {run.exit_code})"


def _failures(report: Report) -> Iterator[str]:
    if not report.failures:
        return
    yield from ("", "### Failures", "")
    rows = (
        [
            units.number(failure.rows),
            escaped(failure.kind),
            escaped(failure.example, _LONGEST),
            escaped(failure.advice),
        ]
        for failure in report.failures
    )
    yield from table(("rows", "kind", "for example", "what to do"), rows, texts=(1, 2, 3))


def _figures(report: Report) -> Iterator[str]:
    columns = [_column(report.last_run, report.costs, report.currency)]
    if report.all_runs.runs > 1:
        columns.append(_column(report.all_runs, report.all_costs, report.currency))
    names = ("last run", f"all {report.all_runs.runs:,} runs")[: len(columns)]
    yield from ("", "### Cost and speed", "")
    if report.costs.physical is None:
        yield from (f"No money is told: {wording.no_money(report.runs[-1:])}.", "")
    lines = ([name, *(column[name] for column in columns)] for name in columns[0])
    yield from table(("", *names), lines)
    deaths = report.runs[-1].deaths
    if deaths:
        yield ""
        yield (
            f"The engine died {units.count(len(deaths), 'time')} in the last run, at last: "
            f"{escaped(deaths[-1].reason, _LONGEST)}"
        )


def _column(usage: TotalUsage, costs: Costs, currency: str) -> dict[str, str]:
    each = costs.per_million
    share = usage.cached_tokens / usage.prompt_tokens if usage.prompt_tokens else 0.0
    return {
        "cost": _money(costs.physical, currency),
        "per 1,000 rows": _money(costs.per_1000_rows, currency),
        "per million input / output tokens": (
            f"{_money(each.input, currency)} / {_money(each.output, currency)}"
        ),
        "time": units.seconds(usage.seconds),
        "device-hours": f"{usage.device_hours:,.4f}",
        "rows/s, generating": units.rate(usage.rows_per_second_steady),
        "output tokens/s, generating": units.rate(usage.output_tokens_per_second_steady),
        "prompt tokens": units.number(usage.prompt_tokens),
        "of them cached": f"{units.number(usage.cached_tokens)} ({units.share(share)})",
        "output tokens": units.number(usage.output_tokens),
    } | _trouble(usage)


def _trouble(usage: TotalUsage) -> dict[str, str]:
    wasted = usage.wasted_prompt_tokens + usage.wasted_output_tokens
    return {
        "retries": units.number(usage.retries),
        "tokens of failed attempts": units.number(wasted),
        "engine deaths": units.number(usage.engine_deaths),
    }


def _phases(report: Report) -> Iterator[str]:
    costs, currency = report.costs, report.currency
    seconds = sum(phase.seconds for phase in costs.phases if not phase.parallel)
    if not seconds:
        return
    yield from ("", "### Where the time and the money of the last run went", "")
    rows: list[list[str]] = []
    beside: list[list[str]] = []
    for phase, cost in zip(costs.phases, rounding.round_phases(costs), strict=True):
        if phase.seconds > 0 or cost:
            aside = " (beside the others)" if phase.parallel else ""
            cells = [units.seconds(phase.seconds), units.share(phase.seconds / seconds)]
            row = [f"{escaped(phase.name)}{aside}", *cells, _part(cost, currency)]
            (beside if phase.parallel else rows).append(row)
    total = [units.seconds(seconds), units.share(1), _money(costs.physical, currency)]
    yield from table(("phase", "time", "share", "cost"), [*rows, ["**all**", *total], *beside])


def _savings(report: Report) -> Iterator[str]:
    costs, currency = report.costs, report.currency
    told = None if costs.physical is None else rounding.round_savings(costs)
    parts = told.savings if told else [None] * len(costs.savings)
    rows = [
        [
            escaped(saving.by),
            units.number(saving.prompt_tokens),
            units.number(saving.output_tokens),
            _part(part, currency),
        ]
        for saving, part in zip(costs.savings, parts, strict=True)
        if saving.prompt_tokens or saving.output_tokens
    ]
    if rows:
        yield from ("", "### Saved in the last run", "")
        if told is not None:
            paid, without = _part(told.paid, currency), _part(told.without, currency)
            yield from (f"Paid: {paid}. Without what was saved: {without}.", "")
        yield from table(("saved by", "prompt tokens", "output tokens", "worth"), rows)
    yield from _listed(costs, currency)


def _listed(costs: Costs, currency: str) -> Iterator[str]:
    listed = costs.listed
    if listed is None or not listed.is_told:
        return
    name = f" of {escaped(listed.name)}" if listed.name else ""
    prices = [listed.input, listed.output] + ([] if listed.cached is None else [listed.cached])
    prices_told = f"{escaped(currency)} {'/'.join(map(units.price, prices))}"
    ratio = "" if listed.ratio is None else f", {wording.compared(listed.ratio)}"
    yield ""
    yield (
        f"At the listed price{name} ({prices_told} for a million tokens) the same tokens cost "
        f"{_money(listed.cost, currency)}{ratio}."
    )


def _shares(divided: Attribution, currency: str) -> Iterator[str]:
    yield from ("", f"### Who pays, by {escaped(', '.join(divided.by))}", "")
    columns, every = len(divided.by), _Shares(divided, currency)
    shown = range(min(_SHOWN_SHARES, len(divided.shares)))
    rest = range(len(shown), len(divided.shares))
    rows = [[*_names(divided.shares[at], columns), *every.cells([at])] for at in shown]
    if rest:
        others = f"*({units.count(len(rest), 'other')}, in the JSON report)*"
        rows.append([others, *[""] * (columns - 1), *every.cells(rest)])
    rows.append(["**all**", *[""] * (columns - 1), *every.cells(range(len(divided.shares)))])
    numbers = (
        "rows settled",
        "computed prompt tokens",
        "output tokens",
        "device time",
        "share",
        "cost",
    )
    header = (*map(escaped, divided.by), *numbers)
    yield from table(header, rows, texts=range(columns))


def _names(share: Share, columns: int) -> list[str]:
    if share.note is not None:
        return [f"*({escaped(share.note)})*", *[""] * (columns - 1)]
    return [escaped(value) for value in wording.values(share.values, _LONGEST)]


class _Shares:
    """The cells of one share, or of several together."""

    def __init__(self, divided: Attribution, currency: str) -> None:
        self._shares, self._currency, self._total = divided.shares, currency, divided.total
        self._prompts = rounding.round_counts(
            [each.computed_prompt_tokens for each in divided.shares]
        )
        self._outputs = rounding.round_counts([each.output_tokens for each in divided.shares])

    def cells(self, places: Sequence[int]) -> list[str]:
        of = [self._shares[at] for at in places]
        cost = None if self._total is None else sum(share.cost or 0.0 for share in of)
        return [
            units.number(sum(share.rows for share in of)),
            units.number(sum(self._prompts[at] for at in places)),
            units.number(sum(self._outputs[at] for at in places)),
            units.seconds(sum(share.device_seconds for share in of)),
            units.share(sum(share.share for share in of)),
            _money(cost, self._currency, self._total),
        ]


def _limit(limit: DeviceShare) -> Iterator[str]:
    yield from ("", "### Against the limit of the device", "")
    yield (
        f"Generation reached **{units.share(limit.share)}** of what {escaped(limit.device)} "
        f"could do at best: {units.seconds(limit.seconds)} instead of "
        f"{units.seconds(limit.roofline_seconds)} (roofline, {escaped(limit.source)})."
    )
    if limit.causes:
        yield ""
        rows = (
            [
                escaped(cause.name),
                units.seconds(cause.seconds),
                units.share(cause.share),
                escaped(cause.advice),
            ]
            for cause in limit.causes[:_SHOWN_CAUSES]
        )
        yield from table(("held back by", "time", "share", "what to do"), rows, texts=(0, 3))


def _runs(report: Report) -> Iterator[str]:
    if len(report.runs) < 2:
        return
    shown = report.runs[-_SHOWN_RUNS:]
    of = f", the last {len(shown)} of {len(report.runs):,}" if shown != report.runs else ""
    yield from ("", f"### Runs{of}", "")
    rows = (
        [
            str(run.run),
            f"{run.started_at:%Y-%m-%d %H:%M}Z",
            units.seconds(run.seconds),
            units.number(run.rows),
            units.number(run.requests),
            _money(run.cost, run.currency),
            escaped(run.reason, _LONGEST) + _exit_code(run),
        ]
        for run in shown
    )
    header = ("run", "began", "time", "rows settled", "attempts", "cost", "end")
    yield from table(header, rows, texts=(1, 6))


def _part(amount: Decimal | None, currency: str) -> str:
    return _NONE if amount is None else escaped(f"{currency} {amount:,f}")


def _money(amount: float | None, currency: str, total: float | None = None) -> str:
    """An amount, with the digits of the total that it is a part of."""
    return _NONE if amount is None else escaped(units.money(amount, currency, total))
