"""The report as text, for a terminal or a mail."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmbatch.accounting.costs import Costs
from llmbatch.accounting.usage import RunUsage, TotalUsage
from llmbatch.core import units, visible
from llmbatch.core.units import number, rate
from llmbatch.reports import (
    answer_words,
    change_words,
    engine_settings,
    first_lines,
    made_by_words,
    money_tables,
    stage_words,
    tables,
    wording,
)
from llmbatch.reports.report import Report
from llmbatch.reports.text import money
from llmbatch.reports.text.columns import columns
from llmbatch.reports.text.money import line as _line

_MOST = 10
_LONGEST = 60
_SHOWN_REASONS = 3
_TERM = 14


def render(report: Report, *, details: bool = True) -> str:
    """Labelled lines, at most 100 columns wide where the values allow it: those that matter first,
    then the details, if they are wanted."""
    lines = [*_first(report), *(_details(report) if details else ())]
    return "".join(f"{visible.line(line)}\n" for line in lines)


def _first(report: Report) -> Iterator[str]:
    yield f"{report.input} -> {report.output}"
    for line in first_lines.build(report):
        yield from _labelled(line.label, line.texts)
    if report.counts.answered:
        yield from _labelled("answers", answer_words.lines(report.answers))


def _labelled(label: str, texts: Sequence[str]) -> Iterator[str]:
    for number_, text in enumerate(texts):
        yield _line("" if number_ else label, text)


def _details(report: Report) -> Iterator[str]:
    yield "details"
    yield _line("requests", _requests(report))
    yield from _about_answers(report)
    if report.changes is not None:
        yield from _labelled("changed", list(change_words.lines(report.changes)))
    for failure in report.failures:
        yield _line("failed", f"{number(failure.rows)} {failure.kind}: {failure.example[:120]}")
        yield _line("", f"advice: {failure.advice}")
    for each in report.rejects:
        yield _line("rejected", f"{number(each.rows)}: {each.reason[:120]} ({each.where})")
    for skip in report.skips:
        yield _line("skipped", f"{number(skip.rows)} not asked: {skip.reason[:120]}")
    yield from _usage(report)
    yield from _tables(report)
    yield from _terms()
    yield from _engine(report)


def _about_answers(report: Report) -> Iterator[str]:
    """Notes on the way to the answers; most jobs have few of them."""
    if held := wording.control_tokens(report.control_token_rows):
        yield _line("control", held)
    if cut := wording.cut_answers(report.cut_answers):
        yield _line("cut off", f"{cut} (--on-truncated keep; their finish_reason says so)")
    if held := wording.constraint(report.constraint):
        yield _line("form", held)
    if held := wording.reasoning(report.reasoning_tokens):
        yield _line("thinking", held)
    if drafted := wording.speculation(report.speculation, report.currency):
        yield _line("drafted", drafted)
    if attempts := wording.attempts(report.rows_by_attempts):
        yield _line("attempts", f"rows settled: {attempts}")


def _requests(report: Report) -> str:
    """Equal rows have one request."""
    return (
        f"{number(report.requests)} distinct{wording.samples(report.samples)}; "
        f"{wording.duplicates(report.duplicates)}; "
        f"{units.count(report.reused, 'row')} reused from earlier runs"
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
    yield from _spent(usage, report.engine)
    if len(runs) == 1:
        yield from _forecast(runs[0])
    yield from money.costs(usage, costs, runs, report.currency)
    yield from _waste(usage)
    yield from _deaths(usage, runs)


def _waste(usage: TotalUsage) -> Iterator[str]:
    if usage.retries:
        tries = units.count(usage.retries, "further attempt")
        told = wording.told(usage)
        yield _line("retries", f"{tries} at requests that had failed{told and '; '}{told}")
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


def _spent(usage: TotalUsage, engine: Mapping[str, Any] | None) -> Iterator[str]:
    share = usage.cached_tokens / usage.prompt_tokens if usage.prompt_tokens else 0.0
    served = f"{number(usage.cached_tokens)} served by the prefix cache, {units.share(share)}"
    if not wording.is_cache_told(engine, usage.cached_tokens):
        served = f"served by the prefix cache: {wording.NOT_TOLD}"
    yield _line(
        "tokens",
        f"{number(usage.prompt_tokens)} in prompts ({served}), "
        f"{number(usage.output_tokens)} in answers",
    )
    if spared := wording.spared(usage.spared_tokens):
        yield _line("", spared)
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
        f"while generating {rate(usage.rows_per_second_steady)} rows/s, "
        f"{rate(usage.output_tokens_per_second_steady)} output tokens/s, "
        f"{rate(usage.tokens_per_second_steady)} tokens/s",
    )
    yield _line(
        "",
        f"from start to end {rate(usage.rows_per_second_overall)} rows/s, "
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
    if forecast is None:
        return
    least = "at least " if forecast["at_least"] else ""
    requests, looked_at = forecast["requests"], forecast["looked_at"]
    sample = "" if looked_at == requests else f" by {number(looked_at)} of them"
    yield _line(
        "forecast",
        f"{least}{units.share(forecast['hits'])} of the prompt tokens from the prefix cache, for "
        f"the first tries of {units.count(requests, 'request')}{sample}",
    )


def _tables(report: Report) -> Iterator[str]:
    """The tables whose figures are in no line above."""
    shown = [stage_words.table(report.cascade, report.currency)]
    shown.append(money_tables.attribution(report, _MOST, _LONGEST))
    if len(report.runs) > 1:
        shown.append(tables.runs(report, _MOST))
    shown.append(made_by_words.table(report.made_by, report.repeatability))
    for table in shown:
        if table.lines:
            yield f"{table.title[0].lower()}{table.title[1:]}"
            yield from (f"  {text}" for text in [*columns(table), *table.notes])


def _terms() -> Iterator[str]:
    yield "words"
    for term, meaning in wording.TERMS.items():
        yield f"  {term:<{_TERM}}{meaning}"


def _engine(report: Report) -> Iterator[str]:
    if report.engine is not None:
        yield "engine"
        for name, value in engine_settings.settings(report.engine):
            yield f"  {name:<23} {value}"
