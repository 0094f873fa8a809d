"""The views of a run: a bar on a terminal, plain lines elsewhere, nothing with --quiet."""

import os
from typing import Any

from llmbatch.cli import console
from llmbatch.core import clock, units, visible
from llmbatch.core.units import count
from llmbatch.pipeline.monitoring.progress import Observer, Progress

_LINE_INTERVAL = 10.0
# Least columns of the bar itself, beside its figures.
_BAR_COLUMNS = 10
_USUAL_COLUMNS = 80


def observer(*, quiet: bool) -> Observer:
    """The observer that suits where stderr goes."""
    if quiet:
        return Silent()
    return Bar() if console.stderr().isatty() else Lines()


class Silent:
    """Shows nothing."""

    def phase(self, text: str) -> None: ...

    def event(self, name: str, **fields: Any) -> None: ...

    def progress(self, progress: Progress) -> None: ...

    def close(self) -> None: ...


class Lines:
    """A plain line for each phase, and one of progress every ten seconds."""

    def __init__(self) -> None:
        self._shown_at = clock.seconds()
        self._last: Progress | None = None

    def phase(self, text: str) -> None:
        console.say(text)

    def event(self, name: str, **fields: Any) -> None: ...

    def progress(self, progress: Progress) -> None:
        self._last = progress
        if clock.seconds() - self._shown_at >= _LINE_INTERVAL:
            self._show(progress)

    def close(self) -> None:
        if self._last is not None:
            console.say(line(self._last, ended=True))
            self._last = None

    def _show(self, progress: Progress) -> None:
        self._shown_at = clock.seconds()
        console.say(line(progress))


class Bar:
    """One tqdm bar: rows, rate, time left, tokens/s, use of the cache, cost, failures."""

    def __init__(self) -> None:
        self._bar: Any = None

    def phase(self, text: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        console.say(text)

    def event(self, name: str, **fields: Any) -> None: ...

    def progress(self, progress: Progress) -> None:
        from tqdm import tqdm

        if self._bar is None:
            columns = _columns()
            self._bar = tqdm(
                total=progress.rows,
                initial=progress.rows_reused,
                unit=" rows",
                file=console.stderr(),
                # A terminal that does not know its width (a bare pty) says 0.
                dynamic_ncols=columns > 0,
                ncols=None if columns > 0 else _USUAL_COLUMNS,
                smoothing=0.1,
            )
        self._bar.update(progress.rows_done - self._bar.n)
        postfix = visible.line(beside(progress, self._room()))
        self._bar.set_postfix_str(postfix, refresh=False)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _room(self) -> int:
        """Columns that remain beside a short bar and the figures of tqdm."""
        meter = self._bar.format_meter(**self._bar.format_dict | {"ncols": 0, "postfix": None})
        return (_columns() or _USUAL_COLUMNS) - len(meter) - _BAR_COLUMNS


def _columns() -> int:
    try:
        return os.get_terminal_size(console.stderr().fileno()).columns
    except OSError:  # no terminal at all
        return 0


def beside(progress: Progress, room: int) -> str:
    """Further figures of a run for the end of a bar, as many as `room` columns hold."""
    speed = held_back(progress) or f"{progress.tokens_per_second:,.0f} tok/s"
    failed = f"{progress.failed:,} failed"
    wanted = (
        [speed, _cache(progress), _cost(progress, "~"), failed],
        [speed, _cost(progress, "~"), failed],
        [speed, _so_far(progress), failed],
    )
    for parts in wanted:
        text = ", ".join(filter(None, parts))
        if len(text) <= room:
            return text
    return f"{speed}, {failed}"


def held_back(progress: Progress) -> str:
    """The time for which the engine is held back; empty if it is not."""
    left = progress.held_back_seconds
    return "" if left is None else f"held back for {units.duration(left)}"


def _cache(progress: Progress) -> str:
    return "" if progress.cache_usage is None else f"cache {progress.cache_usage:.0%}"


def _so_far(progress: Progress) -> str:
    return (
        "" if progress.cost is None else f"{progress.currency} {units.rough_money(progress.cost)}"
    )


def _cost(progress: Progress, about: str) -> str:
    """The cost of the run so far, and at its end."""
    so_far = _so_far(progress)
    if not so_far or progress.projected_cost is None:
        return so_far
    return f"{so_far} of {about}{units.rough_money(progress.projected_cost)}"


def _pace(progress: Progress) -> str:
    """Tokens in a second; those of prompts where there are no others, as of vectors."""
    if progress.prompt_tokens and not progress.output_tokens:
        return f"{progress.prompt_tokens_per_second:,.0f} prompt tokens/s"
    return f"{progress.tokens_per_second:,.0f} output tokens/s"


def line(progress: Progress, *, ended: bool = False) -> str:
    """Progress in one plain line; without the remaining time if the run has `ended`."""
    eta = None if ended else progress.eta_seconds
    left = f", {units.duration(eta)} left" if eta else ""
    cost = _so_far(progress) if ended else _cost(progress, "about ")
    hold = "" if ended else held_back(progress)
    further = "".join(f"{part}, " for part in (hold, _cache(progress), cost) if part)
    return (
        f"{progress.rows_done:,}/{count(progress.rows, 'row')} ({progress.share_of_rows:.0%}), "
        f"{progress.rows_per_second:,.1f} rows/s, "
        f"{_pace(progress)}, {further}"
        f"{progress.failed:,} failed{left}"
    )
