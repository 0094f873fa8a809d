"""The report as text, for a terminal or a mail."""

from collections import Counter
from collections.abc import Iterator, Sequence

from llmbatch.accounting.costs import Costs
from llmbatch.accounting.usage import RunUsage, TotalUsage
from llmbatch.core import units, visible
from llmbatch.core.units import number, rate
from llmbatch.reports import engine_settings, money_tables, tables, wording
from llmbatch.reports.report import Report
from llmbatch.reports.text import money
from llmbatch.reports.text.columns import columns
from llmbatch.reports.text.money import line as _line

_MOST = 10
_LONGEST = 60
_SHOWN_REASONS = 3


def render(report: Report, *, settings: bool = True) -> str:
    """Labelled lines, at most 100 columns wide where the values allow it; with the engine's
    settings or without."""
    lines = [*_lines(report), *(_engine(report) if settings else ())]
    return "".join(f"{visible.line(line)}\n" for line in lines)


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.input} -> {report.output}"
    for note in report.input_notes:
        yield _line("input", note)
    yield _line("rows", _rows(report))
    yield _line("requests", _requests(report))
    yield from _duplicates(report)
    if held := wording.control_tokens(report.control_token_rows):
        yield _line("control", held)
    if cut := wording.cut_answers(report.cut_answers):
        yield _line("cut off", f"{cut} (--on-truncated keep; their finish_reason says so)")
    if held := wording.constraint(report.constraint):
        yield _line("form", held)
    if held := wording.reasoning(report.reasoning_tokens):
        yield _line("thinking", held)
    if attempts := wording.attempts(report.rows_by_attempts):
        yield _line("attempts", f"rows settled: {attempts}")
    yield from _usage(report)
    for failure in report.failures:
        yield _line("failed", f"{number(failure.rows)} {failure.kind}: {failure.example[:120]}")
        yield _line("", f"advice: {failure.advice}")
    for each in report.rejects:
        yield _line("rejected", f"{number(each.rows)}: {each.reason[:120]} ({each.where})")
    for skip in report.skips:
        yield _line("skipped", f"{number(skip.rows)} not asked: {skip.reason[:120]}")
    yield from _tables(report)


def _rows(report: Report) -> str:
    counts = report.counts
    pending = f" + {number(counts.pending)} pending" if counts.pending else ""
    skipped = f" + {number(counts.skipped)} skipped" if counts.skipped else ""
    return (
        f"{number(report.rows_in)} in = {number(counts.answered)} answered + "
        f"{number(counts.failed)} failed + {number(counts.rejected)} rejected{skipped}{pending}"
    )


def _requests(report: Report) -> str:
    return (
        f"{number(report.requests)} distinct, {number(report.duplicates.rows)} duplicates saved, "
        f"{number(report.reused)} rows reused from earlier runs"
    )


def _duplicates(report: Report) -> Iterator[str]:
    saved = report.duplicates
    if saved.prompt_tokens + saved.output_tokens == 0:
        return
    money = "" if saved.cost is None else f", about {units.money(saved.cost, report.currency)}"
    yield _line(
        "duplicates",
        f"{number(saved.prompt_tokens)} prompt and {number(saved.output_tokens)} output tokens not "
        f"computed again{money}",
    )


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
            f"{number(usage.wasted_prompt_tokens)} prompt and "
            f"{number(usage.wasted_output_tokens)} output tokens ({share:.1%}) in "
            f"{units.count(usage.failed_attempts, 'failed attempt')}",
        )


def _deaths(usage: TotalUsage, runs: Sequence[RunUsage]) -> Iterator[str]:
    if not usage.engine_deaths and not usage.engine_restarts:
        return
    died = units.count(usage.engine_deaths, "time")
    yield _line(
        "restarts",
        f"{number(usage.engine_restarts)}; the engine died {died}, "
        f"with {units.count(usage.in_flight_at_deaths, 'request')} in flight",
    )
    reasons = Counter(death.reason for run in runs for death in run.deaths)
    for reason, times in reasons.most_common(_SHOWN_REASONS):
        yield _line("", f"{number(times)} x {reason[:120]}")
    more = len(reasons) - _SHOWN_REASONS
    if more > 0:
        yield _line("", f"and {units.count(more, 'other reason')} (see --format json)")


def _spent(usage: TotalUsage) -> Iterator[str]:
    share = usage.cached_tokens / usage.prompt_tokens if usage.prompt_tokens else 0.0
    yield _line(
        "tokens",
        f"{number(usage.prompt_tokens)} prompt ({number(usage.cached_tokens)} cached, "
        f"{share:.1%}), {number(usage.output_tokens)} output",
    )
    yield _line(
        "time",
        f"{usage.seconds:,.1f} s = reading and planning {usage.prepare_seconds:,.1f} + engine "
        f"start {usage.engine_start_seconds:,.1f} + generation {usage.generate_seconds:,.1f} + "
        f"engine stop {usage.engine_stop_seconds:,.1f} + export {usage.export_seconds:,.1f} + "
        f"other {usage.other_seconds:,.1f}",
    )
    yield _line(
        "",
        f"during generation: engine idle {usage.idle_seconds:,.1f} s, "
        f"checkpoints {usage.checkpoint_seconds:,.1f} s",
    )
    yield from _steps(usage)
    yield _line(
        "speed",
        f"steady {rate(usage.rows_per_second_steady)} rows/s, "
        f"{rate(usage.output_tokens_per_second_steady)} output tokens/s, "
        f"{rate(usage.tokens_per_second_steady)} tokens/s",
    )
    yield _line(
        "",
        f"overall {rate(usage.rows_per_second_overall)} rows/s, "
        f"{rate(usage.output_tokens_per_second_overall)} output tokens/s",
    )


def _steps(usage: TotalUsage) -> Iterator[str]:
    if not usage.steps:
        return
    batch = f", {usage.sequences / usage.steps:,.1f} requests in each" if usage.sequences else ""
    starved = usage.starved_steps / usage.steps
    lost = f", {units.count(usage.preemptions, 'preemption')}" if usage.preemptions else ""
    again = f" ({number(usage.recomputed_tokens)} tokens again)" if usage.recomputed_tokens else ""
    yield _line("", f"{number(usage.steps)} steps{batch}, {starved:.1%} short of rows{lost}{again}")


def _forecast(run: RunUsage) -> Iterator[str]:
    forecast = run.forecast
    if forecast is None or run.measured_hits is None:
        return
    least = "at least " if forecast["at_least"] else ""
    requests, looked_at = forecast["requests"], forecast["looked_at"]
    sample = "" if looked_at == requests else f" by {number(looked_at)} of them"
    yield _line(
        "cache hits",
        f"{run.measured_hits:.1%} of the prompt tokens; {least}{forecast['hits']:.1%} forecast for "
        f"{units.count(requests, 'request')}{sample}",
    )


def _tables(report: Report) -> Iterator[str]:
    """The tables whose figures are in no line above."""
    shown = [money_tables.attribution(report, _MOST, _LONGEST)]
    if len(report.runs) > 1:
        shown.append(tables.runs(report, _MOST))
    for table in shown:
        if table.lines:
            yield f"{table.title[0].lower()}{table.title[1:]}"
            yield from (f"  {text}" for text in [*columns(table), *table.notes])


def _engine(report: Report) -> Iterator[str]:
    if report.engine is not None:
        yield "engine"
        for name, value in engine_settings.settings(report.engine):
            yield f"  {name:<23} {value}"
