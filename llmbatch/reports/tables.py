"""The tables of a report: Markdown and HTML show all of them, the text those that say more."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from llmbatch.accounting.costs import Costs
from llmbatch.accounting.device_share import DeviceShare
from llmbatch.accounting.timeline import Mark
from llmbatch.accounting.usage import RunUsage, TotalUsage
from llmbatch.core import units
from llmbatch.reports import (
    answer_words,
    calibration_words,
    change_words,
    flag_words,
    made_by_words,
    money_tables,
    stage_words,
    wording,
)
from llmbatch.reports.money_tables import heads
from llmbatch.reports.report import Report
from llmbatch.reports.table import NONE, Table, TableLine, places

_TROUBLES = ("engine died", "engine restarted", "stopped")


def build(report: Report, most: int, longest: int = 0) -> list[Table]:
    """The tables in the order in which they are shown. Those of attribution, engines and runs have
    at most `most` lines each; values of rows are cut after `longest` characters (0: never)."""
    return [
        rows(report),
        failures(report),
        rejects(report),
        skips(report),
        *answer_words.tables(report, longest),
        *calibration_words.tables(report.calibration),
        flag_words.table(report, longest),
        change_words.table(report.changes),
        made_by_words.table(report.made_by, report.repeatability),
        stage_words.table(report.cascade, report.currency),
        money_tables.costs(report),
        money_tables.phases(report),
        limit(report.limit),
        money_tables.attribution(report, most, longest),
        engines(report, most),
        work(report),
        runs(report, most),
    ]


def rows(report: Report) -> Table:
    """The rows of the input by their state."""
    counts = report.counts
    numbers = {
        "rows in": report.rows_in,
        "answered": counts.answered,
        "failed": counts.failed,
        "rejected": counts.rejected,
        "skipped": counts.skipped,
        "pending": counts.pending,
        "reused": report.reused,
        "equal to another": report.duplicates.answered,
    }
    line = TableLine([*map(units.number, numbers.values())])
    return Table("rows", "Rows", [*numbers], [line], texts=())


def failures(report: Report) -> Table:
    """The kinds of failures."""
    lines = [
        TableLine([units.number(each.rows), each.kind, each.example, each.advice])
        for each in report.failures
    ]
    header = ["rows", "kind", "for example", "what to do"]
    return Table("failures", "Failed rows", header, lines, texts=places(header, *header[1:]))


def rejects(report: Report) -> Table:
    """The reasons for which lines of the input never became rows, and the findings about it."""
    lines = [
        TableLine([units.number(each.rows), each.reason, each.where]) for each in report.rejects
    ]
    notes = [f"{report.input}: {note}" for note in report.input_notes]
    header = ["rows", "reason", "where"]
    return Table("rejects", "Rejected rows", header, lines, texts=(1, 2), notes=notes)


def skips(report: Report) -> Table:
    """The rows that were not asked, by the thing that they lack."""
    lines = [TableLine([units.number(each.rows), each.reason]) for each in report.skips]
    return Table("skips", "Skipped rows", ["rows", "reason"], lines, texts=(1,))


def limit(reached: DeviceShare | None) -> Table:
    """The seconds of generation: those of the roofline, and what took the others."""
    header = ["", "time", "share", "what to do"]
    if reached is None:
        return Table("limit", "Against the limit", header)

    def line(name: str, seconds: float, share: float, advice: str, key: str = "") -> TableLine:
        kind = "" if key else "sum"
        return TableLine([name, units.seconds(seconds), units.share(share), advice], kind, key)

    least = "the least time for these tokens"
    causes = enumerate(reached.causes)
    return Table(
        key="limit",
        title="Against the limit",
        header=header,
        lines=[
            line("roofline", reached.roofline_seconds, reached.share, least, "roofline"),
            *(line(c.name, c.seconds, c.share, c.advice, f"cause {place}") for place, c in causes),
            line("generation", reached.seconds, 1, ""),
        ],
        texts=places(header, "", "what to do"),
        notes=[_generation(reached), _source(reached)],
    )


def _generation(reached: DeviceShare) -> str:
    return (
        f"Generation took {units.seconds(reached.seconds)}. At best {reached.device} computes the "
        f"same tokens in {units.seconds(reached.roofline_seconds)}: "
        f"{units.share(reached.share)} of its limit was reached, with "
        f"{units.rate(reached.tokens_per_second)} tokens/s."
    )


def _source(reached: DeviceShare) -> str:
    batch = ""
    if reached.batch is not None and reached.largest_batch:
        batch = (
            f" A step had {units.rate(reached.batch)} requests in the mean; "
            f"{units.number(reached.largest_batch)} would fit."
        )
    speeds = wording.speeds(reached.peak_flops, reached.bandwidth)
    return (
        f"{reached.device}: {speeds} ({reached.source}). "
        f"For this model that is at most {units.rate(reached.prefill_limit)} computed prompt "
        f"tokens/s, and {units.rate(reached.decode_limit)} output tokens/s at the largest batch "
        f"that fits.{batch}"
    )


def engines(report: Report, most: int) -> Table:
    """The starts, deaths and the end of the last run that did work; without lines if nothing was
    wrong with them."""
    line = report.details.timeline
    marks = [mark for mark in line.marks if mark.kind != "checkpoint"] if line else []
    if not any(mark.kind in _TROUBLES for mark in marks):
        marks = []
    lines = [TableLine([units.seconds(mark.at), _event(mark)]) for mark in marks[:most]]
    if len(marks) > most:
        lines.append(TableLine(["", f"and {len(marks) - most:,} more: see the JSON"]))
    header = ["after", "what"]
    return Table("engines", "Engines", header, lines, texts=places(header, *header))


def _event(mark: Mark) -> str:
    return mark.text if mark.text.startswith(mark.kind) else f"{mark.kind}: {mark.text}"


def work(report: Report) -> Table:
    """Rows, requests, tokens, time, steps and speed of the last run and of all."""
    count = 2 if len(report.runs) > 1 else 1
    usages = [report.last_run, report.all_runs][:count]
    costs = [report.costs, report.all_costs][:count]

    def line(name: str, of: Callable[[TotalUsage], str], kind: str = "") -> TableLine:
        return TableLine([name, *map(of, usages)], kind)

    n, rate, seconds = units.number, units.rate, units.seconds
    lines = [
        line("time", lambda each: seconds(each.seconds)),
        line("device-hours", lambda each: f"{each.device_hours:,.4f}"),
        line("rows settled", lambda each: n(each.rows)),
        line("attempts", lambda each: n(each.requests)),
        line("retries", lambda each: n(each.retries), "sub"),
        line("that failed", lambda each: n(each.failed_attempts), "sub"),
        line("prompt tokens", lambda each: n(each.prompt_tokens)),
        line("served by the prefix cache", partial(_cached, report.engine), "sub"),
        line("output tokens", lambda each: n(each.output_tokens)),
        line("tokens of failed attempts", lambda each: n(_wasted(each))),
        *_saved_tokens(costs),
        line("rows/s, start to end", lambda each: rate(each.rows_per_second_overall)),
        line("rows/s while generating", lambda each: rate(each.rows_per_second_steady)),
        line("output tokens/s, generating", lambda e: rate(e.output_tokens_per_second_steady)),
        line("all tokens/s, generating", lambda each: rate(each.tokens_per_second_steady)),
        line("engine steps", lambda each: n(each.steps)),
        line("requests in each", _batch, "sub"),
        line("short of rows", lambda each: _of_steps(each.starved_steps, each), "sub"),
        line("preemptions", lambda each: n(each.preemptions)),
        line("engine deaths", lambda each: n(each.engine_deaths)),
        line("engine restarts", lambda each: n(each.engine_restarts)),
    ]
    return Table("work", "What was done", heads(report, ""), lines, notes=[*_work_notes(report)])


def _wasted(usage: TotalUsage) -> int:
    return usage.wasted_prompt_tokens + usage.wasted_output_tokens


def _cached(engine: Mapping[str, Any] | None, usage: TotalUsage) -> str:
    if not wording.is_cache_told(engine, usage.cached_tokens):
        return wording.NOT_TOLD
    if not usage.prompt_tokens:
        return units.number(usage.cached_tokens)
    share = units.share(usage.cached_tokens / usage.prompt_tokens)
    return f"{usage.cached_tokens:,} ({share})"


def _saved_tokens(both: list[Costs]) -> Iterator[TableLine]:
    """The prompt and output tokens that something other than the prefix cache saved."""
    tokens = [
        {each.by: f"{each.prompt_tokens:,} + {each.output_tokens:,}" for each in costs.savings}
        for costs in both
    ]
    for by in tokens[0]:
        if by != "prefix cache":
            name = f"prompt + output tokens saved by {by}"
            yield TableLine([name, *(each.get(by, NONE) for each in tokens)])


def _batch(usage: TotalUsage) -> str:
    return units.rate(usage.sequences / usage.steps) if usage.steps else NONE


def _of_steps(number: int, usage: TotalUsage) -> str:
    return units.share(number / usage.steps) if usage.steps else NONE


def _work_notes(report: Report) -> Iterator[str]:
    yield (
        f"{units.count(report.requests, 'distinct request')}{wording.samples(report.samples)}; "
        f"{wording.duplicates(report.duplicates)}; "
        f"{units.count(report.reused, 'row')} had an answer from earlier runs."
    )
    if held := wording.control_tokens(report.control_token_rows):
        yield f"{held}."
    if spared := wording.spared(report.all_runs.spared_tokens):
        yield f"Output tokens: {spared}."
    if drafted := wording.speculation(report.speculation, report.currency):
        yield f"Speculation: {drafted}."
    if cut := wording.cut_answers(report.cut_answers):
        yield f"{cut} (on_truncated: keep)."
    if held := wording.constraint(report.constraint):
        yield f"Form of the answers: {held}."
    if held := wording.reasoning(report.reasoning_tokens):
        yield f"Thinking: {held}."
    if attempts := wording.attempts(report.rows_by_attempts):
        yield f"Rows settled by the number of attempts: {attempts}."
    if told := wording.told(report.all_runs):
        yield f"Retries {told}."
    if (forecast := report.runs[-1].forecast) is not None:
        yield (
            f"The prefix cache was forecast to serve {units.share(forecast['hits'])} of the prompt "
            "tokens of first attempts."
        )


def runs(report: Report, most: int) -> Table:
    """The newest runs, the last one first."""
    header = ["run", "began", "time", "rows", "rows/s", "attempts", "checkpoints", "restarts"]
    header += ["cost", "ended"]
    every = len(report.runs)
    newest = f", the last {most} of {every:,}" if every > most else ""
    return Table(
        key="runs",
        title=f"Runs of this job{newest}",
        header=header,
        lines=[_run(run) for run in report.runs[::-1][:most]],
        texts=places(header, "ended"),
    )


def _run(run: RunUsage) -> TableLine:
    speed = run.rows / run.seconds if run.rows and run.seconds else None
    cells = [
        str(run.run),
        f"{run.started_at:%Y-%m-%d %H:%M}Z",
        units.seconds(run.seconds),
        units.number(run.rows),
        units.rate(speed),
        units.number(run.requests),
        units.number(run.checkpoints),
        units.number(run.engine_restarts),
        NONE if run.cost is None else units.money(run.cost, run.currency),
        wording.ended(run),
    ]
    return TableLine(cells)
