"""`llmbatch plan`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from llmbatch.pipeline import jobfile
from llmbatch.pipeline.forecast import Forecast
from llmbatch.pipeline.foresight import Foresight
from llmbatch.pipeline.preview import Preview, preview


def plan(job_file: Path | None, flags: dict[str, Any], *, style: str) -> str:
    """What a run would do, as text or JSON."""
    seen = preview(jobfile.load(job_file, flags))
    if style == "json":
        return orjson.dumps(seen, option=orjson.OPT_INDENT_2).decode() + "\n"
    return "\n".join(_lines(seen)) + "\n"


def _lines(seen: Preview) -> Iterator[str]:
    planned = seen.rows_in - seen.rejected - seen.template_failures
    yield (
        f"rows      {seen.rows_in:,} in = {planned:,} with a request + "
        f"{seen.template_failures:,} that the template fails for + {seen.rejected:,} rejected"
    )
    if seen.failure_example is not None:
        yield f"failing   {seen.failure_example}"
    yield f"requests  {seen.requests:,} distinct ({seen.duplicates:,} duplicates computed once)"
    if seen.reused_requests is None:
        yield "reuse     unknown: a run holds the job"
    else:
        left = seen.requests - seen.reused_requests
        yield f"reuse     {seen.reused_requests:,} settled already ({seen.reused_rows:,} rows)"
        yield f"to do     {left:,} requests (the plan has {seen.chunks:,} chunks)"
    yield from _cache_lines(seen.prefix_cache)
    for role, text in seen.first_messages:
        yield f"first row, {role} message:"
        yield from (f"  {line}" for line in text.splitlines())


def _cache_lines(seen: Foresight) -> Iterator[str]:
    if seen.planned is None or seen.as_input is None:
        yield f"tokens    unknown: {seen.unknown}"
        return
    planned = seen.planned
    if planned.looked_at < planned.requests:
        looked_at = f"from a sample of {planned.looked_at:,} requests"
        yield f"tokens    about {planned.prompt_tokens:,} in the prompts ({looked_at})"
    else:
        yield f"tokens    {planned.prompt_tokens:,} in the prompts"
    yield (
        f"cache     {_hits(planned)} of them are predicted to be prefix-cache hits; "
        f"in input order {_hits(seen.as_input)}"
    )
    yield f"          ({_assumed(planned)})"
    if (advice := seen.advice) is not None:
        sampled = advice.looked_at < planned.requests
        judged = f"predicted from {advice.looked_at:,} requests" if sampled else "predicted"
        yield (
            f"advice    {advice.text}: prefix-cache hits {_share(advice.hits_now)} -> "
            f"{_share(advice.hits_then)} ({judged}),"
        )
        yield (
            f"          {advice.tokens_then:,} prompt tokens to compute instead of "
            f"{advice.tokens_now:,}; all answers would be made anew"
        )


def _hits(seen: Forecast) -> str:
    return f"{'at least ' if seen.at_least else ''}{_share(seen.hits)}"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _assumed(seen: Forecast) -> str:
    size = "no limit" if seen.cache_blocks is None else f"{seen.cache_blocks:,} blocks"
    return (
        f"{seen.source}: {size}, {seen.block_size} tokens in a block, "
        f"{seen.max_num_seqs:,} requests at a time, answers of {seen.answer_tokens:,.0f} tokens"
    )
