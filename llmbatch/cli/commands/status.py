"""`llmbatch status`: a run as it is now, or for as long as it works."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmbatch.cli import console
from llmbatch.cli.options import kept_job, text_or_json
from llmbatch.cli.parameters import SpanOfTime

if TYPE_CHECKING:
    from llmbatch.cli.live_view import Display


@click.command()
@kept_job
@text_or_json
@click.option("--watch", "watched", is_flag=True, help="Go on showing it until the run has ended.")
@click.option(
    "--interval",
    type=SpanOfTime(0.1, 86_400),
    default="1s",
    show_default=True,
    metavar="TIME",
    help="How often, with --watch.",
)
@console.reported
def status(job: Path, style: str, watched: bool, interval: float) -> None:
    """Show a job that is running, or how its last run ended.

    JOB is its job file, its output or its state folder. With --watch a terminal shows it in
    place; elsewhere there is a line whenever something has changed, of JSON one for each look.
    Ctrl-C ends the watch and leaves the run alone. Of a job in shards that are not merged there is
    a line for each shard, and one for all.
    """
    if watched:
        _watch(job, style, interval)
    else:
        _show(job, style)


def _show(job: Path, style: str) -> None:
    """Show the live view once: from the run's own file, since its store is locked meanwhile."""
    from llmbatch.cli import live_view, shard_view
    from llmbatch.cli.find_job import find, unmerged

    if shards := unmerged(job):
        every = shard_view.read(shards)
        if style == "json":
            console.json(every)
        else:
            console.show(shard_view.lines(every))
        return
    view = live_view.read(find(job))
    if style == "json":
        console.json(view)
    else:
        console.show(live_view.lines(view))


def _watch(job: Path, style: str, interval: float) -> None:
    """Show the live view every `interval` seconds until the run has ended, or Ctrl-C."""
    from llmbatch.cli import live_view
    from llmbatch.cli.find_job import find

    paths = find(job)
    display = _display(style)
    try:
        while True:
            view = live_view.read(paths)
            display.show(view)
            if view["state"] != "running":
                return
            time.sleep(interval)
    except KeyboardInterrupt:
        return  # the run goes on, and that was no failure of the watch


def _display(style: str) -> "Display":
    from llmbatch.cli import live_view

    if style == "json":
        return live_view.JsonLines()
    return live_view.Screen() if sys.stdout.isatty() else live_view.Log()
