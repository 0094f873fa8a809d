"""`llmbatch plan`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from llmbatch.pipeline import jobfile
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
    yield f"requests  {seen.requests:,} distinct ({seen.duplicates:,} duplicates computed once)"
    if seen.reused_requests is None:
        yield "reuse     unknown: a run holds the job"
    else:
        left = seen.requests - seen.reused_requests
        yield f"reuse     {seen.reused_requests:,} settled already ({seen.reused_rows:,} rows)"
        yield f"to do     {left:,} requests (the plan has {seen.chunks:,} chunks)"
    for role, text in seen.first_messages:
        yield f"first row, {role} message:"
        yield from (f"  {line}" for line in text.splitlines())
