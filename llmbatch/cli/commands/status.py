"""`llmbatch status`: a run as it is now, or for as long as it works."""

import math
import os
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from llmbatch.cli import console
from llmbatch.cli.find_job import find
from llmbatch.cli.narration import amount, duration, line
from llmbatch.core.errors import UsageError
from llmbatch.job.folder import JobPaths
from llmbatch.pipeline.monitoring import status as live
from llmbatch.pipeline.monitoring.progress import Progress
from llmbatch.store import lock

_LABEL = 9
_OF_A_WRITER = ("pid", "host", "started_at", "updated_at", "updated_seconds", "clock")
_STALE = 10.0
_GIB = 2**30
_USUAL_COLUMNS = 80


def status(job: Path, style: str) -> None:
    """Show the live view of a job: from the run's own file, since its store is locked meanwhile."""
    seen = look(find(job))
    if style == "json":
        console.data(orjson.dumps(seen, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        console.show(lines(seen))


def watch(job: Path, style: str, interval: float) -> None:
    """Show the live view every `interval` seconds until nobody works on the job any more, or the
    user has seen enough."""
    if math.isnan(interval):  # no range keeps it out
        raise UsageError("--interval: nan is no number of seconds")
    found = find(job)
    show = _json if style == "json" else _Screen().show if sys.stdout.isatty() else _Log().show
    try:
        while True:
            seen = look(found)
            show(seen)
            if seen["state"] != "running":
                return
            time.sleep(interval)
    except KeyboardInterrupt:
        return  # the run goes on, and that was no failure of the watch


def look(found: JobPaths) -> dict[str, Any]:
    """The live view, with what only an onlooker knows: `state` (running, ended or killed) and
    `age_seconds`, the time since it was written."""
    seen = live.read(found)
    holder = lock.holder(found.lock)
    if seen["phase"] == "ended" and holder and f"pid {seen['pid']} " not in holder:
        # Another run has begun, and has not told of itself yet.
        seen = {name: value for name, value in seen.items() if name in _OF_A_WRITER}
        seen |= {"phase": f"beginning ({holder})", "state": "running"}
    elif seen["phase"] == "ended":
        seen["state"] = "ended"
    else:
        seen["state"] = "running" if holder else "killed"
    if seen["state"] != "running":
        for name in ("eta_seconds", "projected_cost"):
            seen.pop(name, None)
    return seen | {"age_seconds": live.age(seen)}


def lines(seen: dict[str, Any]) -> list[str]:
    """The live view as labelled lines; what is not known has none."""
    shown = [_head(seen)]
    shown += [f"  {label:<{_LABEL}}{text}" for label, text in _parts(seen) if text]
    return [*shown, _age(seen)]


def _head(seen: dict[str, Any]) -> str:
    since = datetime.fromisoformat(seen["started_at"]).isoformat(timespec="milliseconds")
    who = f"pid {seen['pid']} on {seen['host']}, since {since}"
    if seen["state"] == "running":
        return f"running: {seen['phase']} ({who})"
    if seen["state"] == "ended":
        return f"ended: {seen['reason']}, exit code {seen['exit_code']} ({who})"
    return f"killed while {seen['phase']} ({who}); run the same command again"


def _parts(seen: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "progress" in seen:
        progress = Progress(**seen["progress"])
        yield "rows", _rows(progress, seen)
        yield "speed", _speed(progress, running=seen["state"] == "running")
        yield "engine", _engine(progress, seen)
    yield "cost", _cost(seen)
    yield "machine", _machine(seen)
    yield "time", _time(seen)


def _rows(progress: Progress, seen: dict[str, Any]) -> str:
    share = progress.rows_done / progress.rows if progress.rows else 1.0
    reused = f", {progress.rows_reused:,} of them before" if progress.rows_reused else ""
    rejected = seen.get("rows", {}).get("rejected", 0)
    more = f", {rejected:,} rejected" if rejected else ""
    done = f"{progress.rows_done:,}/{progress.rows:,} rows ({share:.0%}){reused}"
    return f"{done}, {progress.failed:,} failed{more}"


def _speed(progress: Progress, *, running: bool) -> str:
    eta = progress.eta_seconds if running else None
    left = f", {duration(eta)} left" if eta else ""
    return (
        f"{progress.rows_per_second:,.1f} rows/s, {progress.prompt_tokens_per_second:,.0f} prompt "
        f"and {progress.tokens_per_second:,.0f} output tokens/s{left}"
    )


def _engine(progress: Progress, seen: dict[str, Any]) -> str:
    parts = []
    if progress.running is not None and seen["state"] == "running":
        parts.append(f"{progress.running:,} running, {progress.waiting or 0:,} waiting")
    if progress.cache_usage is not None:
        parts.append(f"cache {progress.cache_usage:.0%} full")
    if progress.cached_tokens:
        share = progress.cached_tokens / max(1, progress.prompt_tokens)
        parts.append(f"{share:.0%} of the prompt tokens from the prefix cache")
    if restarts := seen.get("engine_restarts", 0):
        parts.append(f"{restarts:,} restart{'' if restarts == 1 else 's'}")
    return ", ".join(parts)


def _cost(seen: dict[str, Any]) -> str:
    spent, will = seen.get("cost"), seen.get("projected_cost")
    if spent is None:
        return ""
    money = f"{seen['currency']} {amount(spent)}"
    if seen["state"] != "running":
        return money
    return f"{money} so far" + (f", about {amount(will)} in the end" if will is not None else "")


def _machine(seen: dict[str, Any]) -> str:
    used = seen.get("resources")
    if not used:
        return ""
    cores = used["cpu_seconds"] / max(seen["elapsed_seconds"], 1e-9)
    memory, peak = used["memory_bytes"] / _GIB, used["peak_memory_bytes"] / _GIB
    parts = [f"CPU {used['cpu_seconds']:,.1f} s ({cores:.2f} cores)"]
    parts.append(f"memory {memory:.1f} GiB (at most {peak:.1f})")
    if used["gpu_utilization"] is not None:
        parts.append(f"GPU {used['gpu_utilization']:.0%} busy")
    if used["gpu_memory_bytes"] is not None:
        parts.append(f"{used['gpu_memory_bytes'] / _GIB:,.1f} GiB of its memory")
    if used["energy_joules"] is not None:
        parts.append(f"{used['energy_joules'] / 3.6e6:,.3f} kWh")
    return ", ".join(parts)


def _time(seen: dict[str, Any]) -> str:
    elapsed = seen.get("elapsed_seconds")
    return "" if elapsed is None else f"{duration(elapsed)} since the start"


def _age(seen: dict[str, Any]) -> str:
    told = f"as of {seen['updated_at']}"
    if seen["state"] != "running" or seen["age_seconds"] < _STALE:
        return told
    age = duration(seen["age_seconds"])
    return f"{told}: no news for {age}; it is stopped, its machine is, or its disk is full"


def _json(seen: dict[str, Any]) -> None:
    console.data(orjson.dumps(seen).decode() + "\n")


class _Log:
    """A plain line whenever something has changed."""

    def __init__(self) -> None:
        self._last = ""

    def show(self, seen: dict[str, Any]) -> None:
        running = seen["state"] == "running"
        parts = [_head(seen)]
        if "progress" in seen:
            parts.append(line(Progress(**seen["progress"]), ended=not running))
        elif cost := _cost(seen):
            parts.append(cost)
        if seen["age_seconds"] >= _STALE and running:
            parts.append(_age(seen))
        text = "; ".join(parts)
        if text != self._last:
            self._last = text
            console.show([f"{seen['updated_at']} {text}"])


class _Screen:
    """The labelled lines and a bar, drawn over and over in the same place of a terminal."""

    def __init__(self) -> None:
        self._drawn = 0

    def show(self, seen: dict[str, Any]) -> None:
        columns = _columns()
        head, *others = lines(seen)
        drawn = [head, *_bar(seen, columns), *others]
        console.draw(drawn, columns, self._drawn)
        self._drawn = len(drawn)


def _bar(seen: dict[str, Any], columns: int) -> list[str]:
    if "progress" not in seen:
        return []
    progress = Progress(**seen["progress"])
    share = progress.rows_done / progress.rows if progress.rows else 1.0
    width = max(10, min(columns, 100) - _LABEL - 5)
    full = int(share * width)
    return [f"  {'':<{_LABEL}}[{'#' * full}{'-' * (width - full)}]"]


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _USUAL_COLUMNS
    except OSError:
        return _USUAL_COLUMNS
