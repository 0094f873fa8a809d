"""A plan as text."""

import math
from collections.abc import Iterator

from llmbatch.core import units
from llmbatch.core.interval import Interval
from llmbatch.core.units import count
from llmbatch.engines import pooling
from llmbatch.estimate import first_prompt, memory_text
from llmbatch.estimate.cache_forecast import Forecast
from llmbatch.estimate.cache_outlook import CacheOutlook
from llmbatch.estimate.output_tokens import OutputTokens
from llmbatch.estimate.preview import Preview
from llmbatch.estimate.prompt_tokens import ContextFit, PromptTokens
from llmbatch.estimate.requirements import Requirements
from llmbatch.estimate.time_and_cost import CostEstimate, TimeEstimate, TimePart
from llmbatch.pipeline.tasks import held
from llmbatch.quality.drift import comparison
from llmbatch.quality.drift.comparison import Drift
from llmbatch.sizing.device import Device

_BLANK = " " * 10
# Parts of the time below this share of it are shown together.
_SMALL = 0.01


def lines(seen: Preview, *, whole_prompt: bool = False) -> Iterator[str]:
    """The lines of a plan: each begins with what it is about. `whole_prompt`: a long one is not
    cut."""
    failing = seen.template_failures + seen.control_token_failures
    planned = seen.rows_in - seen.rejected - failing - seen.skipped
    skipped = f" + {seen.skipped:,} skipped" if seen.skipped else ""
    yield (
        f"rows      {seen.rows_in:,} in = {planned:,} with a request + "
        f"{seen.template_failures:,} that cannot be asked + {seen.rejected:,} rejected"
        f"{_control_failures(seen)}{skipped}"
    )
    yield from (f"rejected  {each.rows:,}: {each.reason} ({each.where})" for each in seen.rejects)
    yield from (f"skipped   {skip.rows:,} not asked: {skip.reason}" for skip in seen.skips)
    yield from (
        f"drift     {line}" for line in comparison.lines(seen.drift) or _no_drift(seen.drift)
    )
    if seen.failure_example is not None:
        yield f"failing   {seen.failure_example}"
    yield from _control_lines(seen)
    several = f": {count(seen.samples, 'sample')} of each row" if seen.samples > 1 else ""
    yield (
        f"requests  {seen.requests:,} distinct ({count(seen.duplicates, 'duplicate')} of them)"
        f"{several}"
    )
    if seen.reused_requests is None:
        yield f"reuse     unknown: {seen.reuse_unknown}"
    else:
        pending, rows = seen.requests - seen.reused_requests, count(seen.reused_rows or 0, "row")
        yield f"reuse     {seen.reused_requests:,} settled already ({rows})"
        yield from (f"{_BLANK}{line}" for line in seen.reuse_reasons)
        yield f"to do     {count(pending, 'request')} (the plan has {count(seen.chunks, 'chunk')})"
    yield from _requirement_lines(seen.requirements)
    for number, line in enumerate(held.lines(seen.constraint)):
        yield f"{_BLANK if number else 'form      '}{line}"
    if seen.pooling is not None:
        yield f"numbers   {pooling.line(seen.pooling.to_json())}"
    yield from (f"notice    {line}" for line in seen.notices)
    yield from (f"repeat    {line}" for line in seen.repeatability)
    yield from (f"limit     {line}" for line in seen.limit_warnings)
    yield from _advice_lines(seen.requirements)
    yield from first_prompt.lines(seen.first_messages, whole=whole_prompt)


def _no_drift(drift: Drift) -> list[str]:
    others = "the input" if drift.inputs == 1 else f"the {drift.inputs} inputs"
    return [f"none: as {others} before"] if drift.inputs else []


def _control_failures(seen: Preview) -> str:
    return (
        f" + {seen.control_token_failures:,} with control tokens"
        if seen.control_token_failures
        else ""
    )


def _control_lines(seen: Preview) -> Iterator[str]:
    if seen.control_token_rows is None:
        yield "control   unknown: this engine does not say which control tokens its model has"
    elif seen.control_token_rows:
        held = units.count(seen.control_token_rows, "row")
        yield f"control   {held} with control tokens of the model, which are sent as text"


def _requirement_lines(needs: Requirements) -> Iterator[str]:
    yield from _token_lines(needs)
    if needs.memory is not None and needs.device is not None:
        yield from memory_text.lines(needs.memory, needs.device.title)
    yield from _time_lines(needs.time)
    yield from _cost_lines(needs.cost, needs.device)


def _token_lines(needs: Requirements) -> Iterator[str]:
    if needs.prompt is None:
        yield f"tokens    unknown: {needs.prefix_cache.unknown}"
        return
    yield from _prompt_lines(needs.prompt)
    yield from _context_lines(needs.prompt.context)
    yield from _cache_lines(needs.prefix_cache)
    if needs.output is not None:
        yield from _output_lines(needs.output)


_BY_SIZE = "by their size: a token of 4 bytes, 1.5 to 6; a run of some rows tells more: --sample 50"


def _prompt_lines(prompt: PromptTokens) -> Iterator[str]:
    if prompt.exact:
        yield f"tokens    {prompt.fitting.expected:,.0f} in the prompts"
    else:
        looked_at = f"from {count(prompt.looked_at, 'request')}" if prompt.looked_at else _BY_SIZE
        yield f"tokens    about {between(prompt.fitting)} in the prompts ({looked_at})"
    if prompt.context.too_long.high:
        yield f"{_BLANK}without those that are too long"
    if prompt.unreadable:
        yield f"{_BLANK}cannot be encoded and will fail: {count(prompt.unreadable, 'prompt')}"


def _context_lines(context: ContextFit) -> Iterator[str]:
    if context.limit is None or not (context.too_long.high or context.cut.high):
        return
    longest = context.longest
    where = f"the longest has {longest.tokens:,}: row {longest.id} on line {longest.line:,}"
    if context.too_long.high:
        yield (
            f"too long  {_rows(context.too_long)} beyond the context length of "
            f"{context.limit:,} tokens ({context.source}) will fail; {where}"
        )
    if context.cut.high:
        more = "more " if context.too_long.high else ""
        yield (
            f"cut       {_rows(context.cut, more)} may be cut off: prompt and longest answer "
            f"exceed {context.limit:,} tokens ({context.source})"
        )


def _cache_lines(seen: CacheOutlook) -> Iterator[str]:
    if seen.planned is None or seen.as_input is None:
        return
    planned = seen.planned
    sampled = f" (from {count(planned.looked_at, 'request')})"
    yield (
        f"cache     {_hits(planned)} of them are predicted to be prefix-cache hits; "
        f"in input order {_hits(seen.as_input)}"
        f"{sampled if planned.looked_at < planned.requests else ''}"
    )
    yield f"{_BLANK}({_assumed(planned)})"


def _hits(seen: Forecast) -> str:
    return f"{'at least ' if seen.at_least else ''}{_share(seen.hits)}"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _assumed(seen: Forecast) -> str:
    size = "no limit" if seen.cache_blocks is None else f"{seen.cache_blocks:,} blocks"
    return (
        f"{seen.source}: {size}, {seen.block_size} tokens in a block, "
        f"{count(seen.max_num_seqs, 'request')} at a time, "
        f"answers of {seen.answer_tokens:,.0f} tokens"
    )


_SOURCES = {
    "history": "from {known:,} answers of earlier runs",
    "sample": "from the {known:,} answers of a sample",
    "choices": "from the texts of the choices",
    "max_tokens": "nothing is known but max_tokens, which answers may fall far short of",
}


def _output_lines(output: OutputTokens) -> Iterator[str]:
    if output.source == "none":
        yield "output    no tokens: this task computes its prompts alone"
        return
    source = _SOURCES[output.source].format(known=output.known)
    yield (
        f"output    about {between(output.total)} tokens, {units.number(output.each)} for "
        f"an answer ({source})"
    )
    if output.left_long:
        long = units.count(output.left_long, "answer")
        yield f"{_BLANK}at most {long} of full length more: the last run was stopped, and may have"
        yield f"{_BLANK}left what takes long"
    if output.retries.expected:
        yield f"{_BLANK}{units.share(output.retries.expected)} of the requests are tried again"


_TIME_SOURCES = {
    "history": "by the job's history",
    "sample": "by a sample",
    "roofline": "by the device's roofline",
    "assumed": "nothing is to be computed",
}


def _time_lines(time: TimeEstimate) -> Iterator[str]:
    if time.seconds is None:
        yield "time      unknown"
    else:
        yield f"time      about {span(time.seconds)}, {_TIME_SOURCES[time.source]}"
        yield f"{_BLANK}= {_parts(time)}"
    yield from (f"{_BLANK}{note}" for note in time.notes)
    assumed = [
        part.name for part in time.parts if part.source == "assumed" and _matters(part, time)
    ]
    if assumed and time.seconds is not None:
        yield f"{_BLANK}assumed, because no earlier run is known: {', '.join(assumed)}"


def _parts(time: TimeEstimate) -> str:
    large = [part for part in time.parts if _matters(part, time)]
    rest = sum(part.seconds.expected for part in time.parts if not _matters(part, time))
    named = [f"{part.name} {units.seconds(part.seconds.expected)}" for part in large]
    return " + ".join([*named, *([f"the rest {units.seconds(rest)}"] if rest else [])])


def _matters(part: TimePart, time: TimeEstimate) -> bool:
    """True for a part that could be more than a little of all."""
    return time.seconds is None or part.seconds.high >= _SMALL * time.seconds.expected


def span(seconds: Interval) -> str:
    """A time with its bounds."""
    low, high = units.seconds(seconds.low), units.seconds(seconds.high)
    return f"{units.seconds(seconds.expected)} ({low} to {high})"


def _cost_lines(cost: CostEstimate, device: Device | None) -> Iterator[str]:
    if cost.cost is not None:
        yield f"cost      about {amount(cost.cost, cost.currency)} for {cost.basis}"
        used = device.count if device is not None and device.kind == "gpu" else cost.devices
        if cost.basis == "device time" and cost.devices != used:
            paid = units.count(cost.devices, "device")
            yield f"{_BLANK}paid as {paid}, while the engine uses {used}"
    if cost.listed is not None:
        name = f"{cost.listed_name}'s prices" if cost.listed_name else "the listed prices"
        yield f"listed    about {amount(cost.listed, cost.currency)} at {name}"


def amount(cost: Interval, currency: str) -> str:
    """Money with its bounds."""
    shown = f"{currency} {_rough(cost.expected)}"
    return shown if cost.is_exact else f"{shown} ({_rough(cost.low)} to {_rough(cost.high)})"


def _rough(amount: float) -> str:
    """Of an estimate three digits say enough."""
    digits = 2 if amount <= 0 else max(0, 2 - math.floor(math.log10(amount)))
    return f"{amount:,.{digits}f}"


def _advice_lines(needs: Requirements) -> Iterator[str]:
    forecasts, each = needs.prefix_cache, needs.time.seconds_per_prompt_token
    planned, as_input = forecasts.planned, forecasts.as_input
    if each and planned is not None and as_input is not None:
        spared = as_input.prompt_tokens - as_input.cached_tokens
        spared -= planned.prompt_tokens - planned.cached_tokens
        if spared > 0:
            saved = units.seconds(spared * each)
            yield f"order     the planned order spares {spared:,} prompt tokens, about {saved}"
    if (advice := forecasts.advice) is not None and planned is not None:
        sampled = advice.looked_at < planned.requests
        judged = f"predicted from {count(advice.looked_at, 'request')}" if sampled else "predicted"
        yield (
            f"advice    {advice.text}: prefix-cache hits {_share(advice.hits_now)} -> "
            f"{_share(advice.hits_then)} ({judged}),"
        )
        saved = ""
        if each:
            spared = advice.tokens_now - advice.tokens_then
            saved = f" (about {units.seconds(spared * each)} less)"
        yield (
            f"{_BLANK}{advice.tokens_then:,} prompt tokens to compute instead of "
            f"{advice.tokens_now:,}{saved}; all answers would be made anew"
        )


def between(tokens: Interval) -> str:
    """A number with its bounds."""
    if tokens.is_exact:
        return f"{tokens.expected:,.0f}"
    return f"{tokens.expected:,.0f} ({tokens.low:,.0f} to {tokens.high:,.0f})"


def _rows(rows: Interval, more: str = "") -> str:
    if rows.is_exact:
        return count(round(rows.expected), f"{more}row")
    return f"about {between(rows)} {more}rows"
