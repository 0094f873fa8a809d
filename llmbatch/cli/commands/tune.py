"""`llmbatch tune`."""

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from llmbatch.cli import console
from llmbatch.cli.options import engine_arg
from llmbatch.core import clock
from llmbatch.core.errors import EngineError, UsageError
from llmbatch.engines import registry
from llmbatch.job import edit, file, stop_rules
from llmbatch.job.spec import JobSpec
from llmbatch.tune import search as pipeline
from llmbatch.tune.candidates import describe, pair
from llmbatch.tune.gains import MARGIN
from llmbatch.tune.search import Setting, TuneResult

_TITLES = ("tokens/s", "gain", "requests/s", "start", "preempted")


def tune(
    job_file: Path | None,
    flags: dict[str, Any],
    trusted: bool,
    *,
    sets: Iterable[str],
    rows: int,
    budget: str,
    dry_run: bool,
    style: str,
) -> None:
    """Tune the job and leave with an exit code."""
    spec = file.load(job_file, flags, trusted=trusted)
    # What was measured with flags beside the file is not true of the file alone.
    target = None if dry_run or flags else job_file
    if target is not None:
        edit.check_writable(target)
    result = pipeline.tune(spec, _knobs(sets), rows, _seconds(budget), console.say)
    # A file that names code would be refused by the next run.
    as_flags = bool(flags) or (not trusted and _names_code(spec, result))
    if not result.best or result.signal is not None or as_flags:
        target = None
    try:
        if target is not None:
            edit.set_engine_options(target, result.best, _note(result))
            console.say(f"{target}: set {describe(result.best)} under [engine]")
    finally:  # what was measured is told, even if the file has become unwritable
        lines = [*_table(result), "", *_verdict(result, as_flags=as_flags)]
        if style == "json":
            console.data(_json(result, target))
        else:
            console.show(lines)
    _leave(result)


def _names_code(spec: JobSpec, result: TuneResult) -> bool:
    return any(registry.naming_code(spec.engine.name, result.best))


def _leave(result: TuneResult) -> None:
    if result.signal is not None:
        console.leave_at_once(128 + result.signal)
    if result.winner is None:
        console.say(f"error: no setting could be measured: {result.settings[0].reason}")
        console.leave_at_once(EngineError.exit_code)
    console.leave_at_once(0)


def _seconds(budget: str) -> float:
    try:
        duration = stop_rules.check_deadline(budget)
    except ValueError as error:
        raise UsageError(f"--budget {budget!r}: {error}") from error
    if duration is None or not duration.total_seconds():
        raise UsageError(f"--budget {budget!r}: write a duration (10m, 1h30m, 45s)")
    return duration.total_seconds()


def _knobs(sets: Iterable[str]) -> dict[str, list[Any]]:
    """`--set KEY=V1,V2`: the values by option; a comma inside of quotes or brackets is none."""
    knobs: dict[str, list[Any]] = {}
    for given in sets:
        name, _, text = given.partition("=")
        if not name or not text:
            raise UsageError(f"--set {given!r}: write KEY=VALUE or KEY=VALUE,VALUE")
        _, values = engine_arg(f"{name}=[{text}]")
        if not isinstance(values, list):  # not TOML: words without quotes
            values = [engine_arg(f"{name}={word.strip()}")[1] for word in text.split(",")]
        knobs.setdefault(name, []).extend(values)
    return knobs


def _table(result: TuneResult) -> Iterator[str]:
    lines = [("settings", _TITLES, ""), *(_line(one) for one in result.settings)]
    first = max(len(name) for name, _, _ in lines)
    figures = [cells for _, cells, _ in lines if cells]
    widths = [max(map(len, column)) for column in zip(*figures, strict=True)]
    for name, cells, note in lines:
        right = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=False))
        yield "  ".join([f"{name:<{first}}", *right, note]).rstrip()


def _line(setting: Setting) -> tuple[str, tuple[str, ...], str]:
    """The setting, its figures (none if there are none), and a note."""
    name = describe(setting.changes) + (", again" if setting.again else "")
    measured = setting.measured
    if measured is None:
        return name, (), setting.reason
    figures = (
        f"{measured.total.tokens_per_second:,.0f}",
        _gain(setting),
        f"{measured.total.requests_per_second:,.1f}",
        f"{measured.start_seconds:,.1f} s",
        f"{measured.preemptions:,}",
    )
    return name, figures, setting.reason


def _gain(setting: Setting) -> str:
    """Of the two halves, the smaller and the larger."""
    if not setting.gains:
        return ""
    low, high = min(setting.gains), max(setting.gains)
    return f"{low:+.0%} .. {high:+.0%}"


def _verdict(result: TuneResult, *, as_flags: bool) -> Iterator[str]:
    sampled = f"{result.sampled:,} of {result.planned:,} requests"
    yield f"sample: {sampled}; gain: the smaller and the larger of its two halves"
    if result.signal is not None:
        yield "stopped by a signal: nothing is written"
    if result.winner is None:
        return
    if not result.best:
        yield f"best: the present settings (a gain below {MARGIN:.0%} is taken for noise)"
        return
    yield f"best: {describe(result.best)}"
    if as_flags:
        yield f"add to the command: {' '.join(_flags(result))}"


def _flags(result: TuneResult) -> list[str]:
    pairs = (pair(name, value) for name, value in result.best.items())
    return [f"--engine-arg {shlex.quote(pair)}" for pair in pairs]


def _note(result: TuneResult) -> str:
    """What the job file says of it."""
    best = result.winner
    assert best is not None and best.measured is not None
    now = best.measured.total.tokens_per_second
    present = [one.measured for one in result.settings if not one.changes and one.measured]
    rates = [measured.total.tokens_per_second for measured in present]
    then = f"{max(rates):,.0f} -> " if rates else ""
    what = f"{then}{now:,.0f} tokens/s on {result.sampled:,} requests"
    return f"{clock.now():%Y-%m-%d}: {describe(result.best)}: {what}"


def _json(result: TuneResult, written: Path | None) -> str:
    value = {
        "sampled": result.sampled,
        "planned": result.planned,
        "settings": [_setting(one) for one in result.settings],
        "best": dict(result.best) if result.winner else None,
        "flags": _flags(result),
        "written": str(written) if written else None,
        "stopped": result.signal is not None,
    }
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n"


def _setting(setting: Setting) -> dict[str, Any]:
    described: dict[str, Any] = {"changes": dict(setting.changes), "again": setting.again}
    described["note"] = setting.reason or None
    measured = setting.measured
    if measured is None:
        return described
    total = measured.total
    return described | {
        "tokens_per_second": round(total.tokens_per_second, 1),
        "requests_per_second": round(total.requests_per_second, 3),
        "gains": [round(gain, 4) for gain in setting.gains],
        "start_seconds": round(measured.start_seconds, 2),
        "warm_up_seconds": round(measured.warm_up.seconds, 2),
        "preemptions": measured.preemptions,
        "failed": total.failed,
    }
