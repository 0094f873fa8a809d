"""The live view of a job, and the ways to show it."""

import os
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Protocol

import orjson

from llmbatch.cli import console
from llmbatch.cli.narration import held_back, line
from llmbatch.core import units
from llmbatch.core.units import count
from llmbatch.job.folder import JobPaths
from llmbatch.pipeline.monitoring import status as live
from llmbatch.pipeline.monitoring.progress import Progress
from llmbatch.quality.changes import Changes
from llmbatch.reports import change_words
from llmbatch.store import lock

_LABEL = 9
_WRITER_FIELDS = ("pid", "host", "started_at", "updated_at", "updated_seconds", "clock")
_STALE = 10.0
_USUAL_COLUMNS = 80


def read(paths: JobPaths) -> dict[str, Any]:
    """The live view of a job, with two values that its writer cannot know: `state` (running, ended
    or killed) and `age_seconds`, the time since it was written."""
    view = live.read(paths)
    holder = lock.holder(paths.lock)
    if view["phase"] == "ended" and holder and f"pid {view['pid']} " not in holder:
        # Another run has begun, and has not written its view yet.
        view = {name: value for name, value in view.items() if name in _WRITER_FIELDS}
        view |= {"phase": f"beginning ({holder})", "state": "running"}
    elif view["phase"] == "ended":
        view["state"] = "ended"
    else:
        view["state"] = "running" if holder else "killed"
    if view["state"] != "running":
        for name in ("eta_seconds", "projected_cost"):
            view.pop(name, None)
    return view | {"age_seconds": live.age(view)}


def lines(view: dict[str, Any]) -> list[str]:
    """The live view as labelled lines, one for each known part."""
    shown = [_head(view)]
    shown += [f"  {label:<{_LABEL}}{text}" for label, text in _parts(view) if text]
    return [*shown, _age(view)]


def _head(view: dict[str, Any]) -> str:
    since = datetime.fromisoformat(view["started_at"]).isoformat(timespec="milliseconds")
    who = f"pid {view['pid']} on {view['host']}, since {since}"
    if view["state"] == "running":
        return f"running: {view['phase']} ({who})"
    if view["state"] == "ended":
        return f"ended: {view['reason']}, exit code {view['exit_code']} ({who})"
    return f"killed while {view['phase']} ({who}); run the same command again"


def _parts(view: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "progress" in view:
        progress = Progress(**view["progress"])
        yield "rows", _rows(progress, view)
        yield "speed", _speed(progress, running=view["state"] == "running")
        yield "engine", _engine(progress, view)
    yield "changed", _changed(view)
    yield "cost", _cost(view)
    yield "machine", _machine(view)
    yield "time", _time(view)


def _rows(progress: Progress, view: dict[str, Any]) -> str:
    reused = f", {progress.rows_reused:,} of them before" if progress.rows_reused else ""
    rows = view.get("rows", {})
    counted = [(rows.get(state, 0), state) for state in ("rejected", "skipped")]
    more = "".join(f", {number:,} {state}" for number, state in counted if number)
    of = count(progress.rows, "row")
    done = f"{progress.rows_done:,}/{of} ({progress.share_of_rows:.0%}){reused}"
    return f"{done}, {progress.failed:,} failed{more}"


def _speed(progress: Progress, *, running: bool) -> str:
    eta = progress.eta_seconds if running else None
    left = f", {units.duration(eta)} left" if eta else ""
    return (
        f"{progress.rows_per_second:,.1f} rows/s, {progress.prompt_tokens_per_second:,.0f} prompt "
        f"and {progress.tokens_per_second:,.0f} output tokens/s{left}"
    )


def _engine(progress: Progress, view: dict[str, Any]) -> str:
    parts = []
    if progress.running is not None and view["state"] == "running":
        parts.append(f"{progress.running:,} running, {progress.waiting or 0:,} waiting")
        parts += filter(None, [held_back(progress)])
    if progress.cache_usage is not None:
        parts.append(f"cache {progress.cache_usage:.0%} full")
    if progress.cached_tokens:
        share = progress.cached_tokens / max(1, progress.prompt_tokens)
        parts.append(f"{share:.0%} of the prompt tokens from the prefix cache")
    if restarts := view.get("engine_restarts", 0):
        parts.append(units.count(restarts, "restart"))
    return ", ".join(parts)


def _changed(view: dict[str, Any]) -> str:
    """The changes of the run against the one before, once it has come to its end."""
    if not view.get("changes"):
        return ""
    return "; ".join(change_words.lines(Changes.from_view(view["changes"])))


def _cost(view: dict[str, Any]) -> str:
    spent, will = view.get("cost"), view.get("projected_cost")
    if spent is None:
        return ""
    money = f"{view['currency']} {units.rough_money(spent)}"
    if view["state"] != "running":
        return money
    return f"{money} so far" + (
        f", about {units.rough_money(will)} in the end" if will is not None else ""
    )


def _machine(view: dict[str, Any]) -> str:
    used = view.get("resources")
    if not used:
        return ""
    cores = used["cpu_seconds"] / max(view["elapsed_seconds"], 1e-9)
    memory, peak = units.size(used["memory_bytes"]), units.size(used["peak_memory_bytes"])
    parts = [f"CPU {used['cpu_seconds']:,.1f} s ({cores:.2f} cores)"]
    parts.append(f"memory {memory} (at most {peak})")
    if used["gpu_utilization"] is not None:
        parts.append(f"GPU {used['gpu_utilization']:.0%} busy")
    if used["gpu_memory_bytes"] is not None:
        parts.append(f"{units.size(used['gpu_memory_bytes'])} of its memory")
    if used["energy_joules"] is not None:
        parts.append(units.energy(used["energy_joules"]))
    return ", ".join(parts)


def _time(view: dict[str, Any]) -> str:
    elapsed = view.get("elapsed_seconds")
    return "" if elapsed is None else f"{units.duration(elapsed)} since the start"


def _age(view: dict[str, Any]) -> str:
    as_of = f"as of {view['updated_at']}"
    if view["state"] != "running" or view["age_seconds"] < _STALE:
        return as_of
    age = units.duration(view["age_seconds"])
    return f"{as_of}: no news for {age}; it is stopped, its machine is, or its disk is full"


class Display(Protocol):
    """Shows the live view again and again."""

    def show(self, view: dict[str, Any]) -> None: ...


class JsonLines:
    """A line of JSON each time."""

    def show(self, view: dict[str, Any]) -> None:
        console.data(orjson.dumps(view).decode() + "\n")


class Log:
    """A plain line whenever something has changed."""

    def __init__(self) -> None:
        self._last = ""

    def show(self, view: dict[str, Any]) -> None:
        running = view["state"] == "running"
        parts = [_head(view)]
        if "progress" in view:
            parts.append(line(Progress(**view["progress"]), ended=not running))
        elif cost := _cost(view):
            parts.append(cost)
        if view["age_seconds"] >= _STALE and running:
            parts.append(_age(view))
        text = "; ".join(parts)
        if text != self._last:
            self._last = text
            console.show([f"{view['updated_at']} {text}"])


class Screen:
    """The labelled lines and a bar, drawn over and over in the same place of a terminal."""

    def __init__(self) -> None:
        self._drawn = 0

    def show(self, view: dict[str, Any]) -> None:
        columns = _columns()
        head, *others = lines(view)
        drawn = [head, *_bar(view, columns), *others]
        console.draw(drawn, columns, self._drawn)
        self._drawn = len(drawn)


def _bar(view: dict[str, Any], columns: int) -> list[str]:
    if "progress" not in view:
        return []
    progress = Progress(**view["progress"])
    width = max(10, min(columns, 100) - _LABEL - 5)
    full = int(progress.share_of_rows * width)
    return [f"  {'':<{_LABEL}}[{'#' * full}{'-' * (width - full)}]"]


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _USUAL_COLUMNS
    except OSError:
        return _USUAL_COLUMNS
