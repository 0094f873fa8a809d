"""`llmbatch tail`: the newest answers of a job, also while it runs."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmbatch.cli import console
from llmbatch.cli.options import kept_job, text_or_json
from llmbatch.core import units
from llmbatch.core.errors import UsageError

if TYPE_CHECKING:
    from llmbatch.store.newest_answers import SettledRequest

_LONGEST = 300
_PAUSE = 0.5


@click.command()
@kept_job
@click.option(
    "-n",
    "--rows",
    "count",
    type=click.IntRange(0, 100_000),
    default=10,
    show_default=True,
    help="So many answers.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with new ones until the run has ended.")
@text_or_json
@console.reported
def tail(job: Path, count: int, follow: bool, style: str) -> None:
    """Show the newest answers and failures of a job, also of one that is running.

    JOB is its job file, its output or its state folder. Each has a line: the beginning of its
    request's name (--meta has it in a column), what it took, and the answer. Ctrl-C ends --follow
    and leaves the run alone.
    """
    from llmbatch.cli.find_job import find
    from llmbatch.store import lock, trust
    from llmbatch.store.newest_answers import NewestAnswers

    paths = find(job)
    trust.check(paths.state)
    newest = NewestAnswers(paths.store)
    try:
        _show(newest.last(count), style)
        goes_on = follow
        while goes_on:
            goes_on = lock.holder(paths.lock) is not None
            _show(newest.more(), style)
            time.sleep(_PAUSE if goes_on else 0)
    except FileNotFoundError as error:
        raise UsageError(f"{paths.state}: has no journal yet; run the job first") from error
    except KeyboardInterrupt:
        return  # the run goes on, and that was no failure


def _show(found: "Sequence[SettledRequest]", style: str) -> None:
    if style == "json":
        import orjson

        console.data("".join(orjson.dumps(asdict(each)).decode() + "\n" for each in found))
    else:
        console.show(map(_line, found))


def _line(settled: "SettledRequest") -> str:
    what = settled.answer or ""
    if settled.verdict != "answered":
        what = f"{settled.kind}: {settled.message or ''}"
    one_line = " ".join(what.split())
    shown = one_line if len(one_line) <= _LONGEST else f"{one_line[:_LONGEST]}..."
    state = "answered" if settled.verdict == "answered" else "failed"
    tokens = units.count(settled.output_tokens, "token")
    return f"{settled.request[:8]}  {state:<8}  {tokens:>13}  {shown}"
