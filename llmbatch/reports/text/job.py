"""The report as text, for a terminal or a mail."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from llmbatch.accounting.costs import Costs
from llmbatch.accounting.usage import RunUsage, TotalUsage
from llmbatch.core import units, visible
from llmbatch.reports.report import Report
from llmbatch.reports.text import money
from llmbatch.reports.text.money import line as _line

_SHOWN_RUNS = 10
_SHOWN_REASONS = 3


# Of what an engine says of itself: for calculating, not for reading.
_NOT_SHOWN = ("hardware", "shape")


def render(report: Report, *, settings: bool = True) -> str:
    """Labelled lines, at most 100 columns wide where the values allow it; with the engine's
    settings or without."""
    lines = [*_lines(report), *(_engine(report) if settings else ())]
    return "".join(f"{visible.line(line)}\n" for line in lines)


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.input} -> {report.output}"
    yield _line("rows", _rows(report))
    yield _line("requests", _requests(report))
    yield from _duplicates(report)
    yield from _attempts(report)
    yield from _usage(report)
    for failure in report.failures:
        yield _line("failed", f"{_n(failure.rows)} {failure.kind}: {failure.example[:120]}")
        yield _line("", f"advice: {failure.advice}")
    if report.attribution is not None:
        yield from money.attribution(report.attribution, report.runs, report.currency)
    yield from _runs(report)


def _rows(report: Report) -> str:
    counts = report.counts
    pending = f" + {_n(counts.pending)} pending" if counts.pending else ""
    return (
        f"{_n(report.rows_in)} in = {_n(counts.answered)} answered + {_n(counts.failed)} failed"
        f" + {_n(counts.rejected)} rejected{pending}"
    )


def _requests(report: Report) -> str:
    return (
        f"{_n(report.requests)} distinct, {_n(report.duplicates.rows)} duplicates saved, "
        f"{_n(report.reused)} rows reused from earlier runs"
    )


def _duplicates(report: Report) -> Iterator[str]:
    saved = report.duplicates
    if saved.prompt_tokens + saved.output_tokens == 0:
        return
    money = "" if saved.cost is None else f", about {units.money(saved.cost, report.currency)}"
    yield _line(
        "duplicates",
        f"{_n(saved.prompt_tokens)} prompt and {_n(saved.output_tokens)} output tokens not "
        f"computed again{money}",
    )


def _attempts(report: Report) -> Iterator[str]:
    lines = [line for line in report.rows_by_attempts if line.attempts > 0]
    if any(line.attempts > 1 for line in lines):
        shares = (f"{_n(line.answered + line.failed)} after {line.attempts}" for line in lines)
        yield _line("attempts", f"rows settled: {', '.join(shares)}")


def _usage(report: Report) -> Iterator[str]:
    last, every = report.last_run, report.all_runs
    if every.runs == 1:
        yield from _figures(report, last, report.costs, report.runs)
        yield from money.device(report)
        return
    yield f"last run (of {every.runs})"
    yield from _figures(report, last, report.costs, report.runs[-1:])
    yield from money.device(report)
    yield "all runs"
    yield from _figures(report, every, report.all_costs, report.runs)


def _figures(
    report: Report, usage: TotalUsage, costs: Costs, runs: Sequence[RunUsage]
) -> Iterator[str]:
    yield from _spent(usage)
    if len(runs) == 1:
        yield from _forecast(runs[0])
    yield from money.costs(usage, costs, runs, report.currency)
    yield from _waste(usage)
    yield from _deaths(usage, runs)


def _waste(usage: TotalUsage) -> Iterator[str]:
    if usage.retries:
        tries = units.count(usage.retries, "further attempt")
        yield _line("retries", f"{tries} at requests that had failed")
    wasted = usage.wasted_prompt_tokens + usage.wasted_output_tokens
    if wasted:
        share = wasted / (usage.prompt_tokens + usage.output_tokens)
        yield _line(
            "wasted",
            f"{_n(usage.wasted_prompt_tokens)} prompt and {_n(usage.wasted_output_tokens)} output "
            f"tokens ({share:.1%}) in {units.count(usage.failed_attempts, 'failed attempt')}",
        )


def _deaths(usage: TotalUsage, runs: Sequence[RunUsage]) -> Iterator[str]:
    if not usage.engine_deaths and not usage.engine_restarts:
        return
    died = units.count(usage.engine_deaths, "time")
    yield _line(
        "restarts",
        f"{_n(usage.engine_restarts)}; the engine died {died}, "
        f"with {units.count(usage.in_flight_at_deaths, 'request')} in flight",
    )
    reasons = Counter(death.reason for run in runs for death in run.deaths)
    for reason, times in reasons.most_common(_SHOWN_REASONS):
        yield _line("", f"{_n(times)} x {reason[:120]}")
    more = len(reasons) - _SHOWN_REASONS
    if more > 0:
        yield _line("", f"and {units.count(more, 'other reason')} (see --format json)")


def _spent(usage: TotalUsage) -> Iterator[str]:
    share = usage.cached_tokens / usage.prompt_tokens if usage.prompt_tokens else 0.0
    yield _line(
        "tokens",
        f"{_n(usage.prompt_tokens)} prompt ({_n(usage.cached_tokens)} cached, {share:.1%}), "
        f"{_n(usage.output_tokens)} output",
    )
    yield _line(
        "time",
        f"{usage.seconds:,.1f} s = reading and planning {usage.prepare_seconds:,.1f} + engine "
        f"start {usage.engine_start_seconds:,.1f} + generation {usage.generate_seconds:,.1f} + "
        f"engine stop {usage.engine_stop_seconds:,.1f} + export {usage.export_seconds:,.1f} + "
        f"other {_other(usage):,.1f}",
    )
    yield _line(
        "",
        f"during generation: engine idle {usage.idle_seconds:,.1f} s, "
        f"checkpoints {usage.checkpoint_seconds:,.1f} s",
    )
    yield from _steps(usage)
    yield _line(
        "speed",
        f"steady {_rate(usage.rows_per_second_steady)} rows/s, "
        f"{_rate(usage.output_tokens_per_second_steady)} output tokens/s, "
        f"{_rate(usage.tokens_per_second_steady)} tokens/s",
    )
    yield _line(
        "",
        f"overall {_rate(usage.rows_per_second_overall)} rows/s, "
        f"{_rate(usage.output_tokens_per_second_overall)} output tokens/s",
    )


def _steps(usage: TotalUsage) -> Iterator[str]:
    if not usage.steps:
        return
    batch = f", {usage.sequences / usage.steps:,.1f} requests in each" if usage.sequences else ""
    starved = usage.starved_steps / usage.steps
    lost = f", {units.count(usage.preemptions, 'preemption')}" if usage.preemptions else ""
    again = f" ({_n(usage.recomputed_tokens)} tokens again)" if usage.recomputed_tokens else ""
    yield _line("", f"{_n(usage.steps)} steps{batch}, {starved:.1%} short of rows{lost}{again}")


def _forecast(run: RunUsage) -> Iterator[str]:
    told = run.forecast
    if told is None or run.measured_hits is None:
        return
    least = "at least " if told["at_least"] else ""
    sample = "" if told["looked_at"] == told["requests"] else f" by {_n(told['looked_at'])} of them"
    yield _line(
        "cache hits",
        f"{run.measured_hits:.1%} of the prompt tokens; {least}{told['hits']:.1%} forecast for "
        f"{units.count(told['requests'], 'request')}{sample}",
    )


def _other(usage: TotalUsage) -> float:
    named = (
        usage.prepare_seconds
        + usage.engine_start_seconds
        + usage.generate_seconds
        + usage.engine_stop_seconds
        + usage.export_seconds
    )
    return max(0.0, usage.seconds - named)


def _runs(report: Report) -> Iterator[str]:
    if len(report.runs) < 2:
        return
    hidden = len(report.runs) - _SHOWN_RUNS
    yield f"runs{f' (the last {_SHOWN_RUNS} of {len(report.runs)})' if hidden > 0 else ''}"
    for run in report.runs[-_SHOWN_RUNS:]:
        yield _run(run)


def _run(run: RunUsage) -> str:
    return (
        f"  {run.run:>3}  {run.started_at:%Y-%m-%d %H:%M:%S}Z  {run.seconds:>9,.1f} s  "
        f"{_n(run.requests):>7} attempts  {_n(run.checkpoints):>5} checkpoints  {_paid(run)}"
        f"{run.reason}"
    )


def _paid(run: RunUsage) -> str:
    return "" if run.cost is None else f"{units.money(run.cost, run.currency):>11}  "


def _engine(report: Report) -> Iterator[str]:
    if report.engine is None:
        return
    yield "engine"
    for name, value in report.engine.items():
        if name not in _NOT_SHOWN:
            yield f"  {name:<23} {_flat(value)}"


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={item}" for key, item in value.items())
    return str(value)


def _n(number: float) -> str:
    return f"{number:,.0f}"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"
