"""The result of tuning, as text, as JSON and as a comment in the job file."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmbatch.core import clock, units
from llmbatch.core.units import count
from llmbatch.tune.candidates import describe, pair
from llmbatch.tune.gains import MARGIN
from llmbatch.tune.search import Setting, TuneResult
from llmbatch.tune.trial import TrialFigures

_TITLES = ("tokens/s", "gain", "requests/s", "start", "preempted")


def lines(result: TuneResult, *, as_flags: bool) -> list[str]:
    """A table of the settings, and the verdict; `as_flags`: with the flags to add."""
    return [*_table(result), "", *_verdict(result, as_flags=as_flags)]


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
    return name, figures, "; ".join(filter(None, [setting.reason, _drafted(measured)]))


def _drafted(measured: TrialFigures) -> str:
    """The share of drafted tokens that were accepted, in all and by position."""
    found = measured.speculation
    if not found.draft_tokens:
        return ""
    places = " ".join(f"{share:.0%}" for share in found.acceptance)
    drafted = count(found.draft_tokens, "drafted token")
    return f"{found.accepted_tokens / found.draft_tokens:.0%} of {drafted} accepted ({places})"


def _gain(setting: Setting) -> str:
    """Of the two halves, the smaller and the larger."""
    if not setting.gains:
        return ""
    low, high = min(setting.gains), max(setting.gains)
    return f"{low:+.0%} .. {high:+.0%}"


def _verdict(result: TuneResult, *, as_flags: bool) -> Iterator[str]:
    sampled = f"{result.sampled:,} of {count(result.planned, 'request')}"
    yield f"sample: {sampled}; gain: the smaller and the larger of its two halves"
    if result.signal is not None:
        yield "stopped by a signal: nothing is written"
    if result.winner is None:
        return
    if not result.best:
        yield f"best: the present settings (a gain below {MARGIN:.0%} is taken for noise)"
        return
    money = result.money_saved
    amount = "" if money is None else f" ({units.money(money, result.cost.currency)})"
    saved = units.seconds(result.seconds_saved)
    yield f"the best saves about {saved}{amount} of the generation of this job"
    yield f"best: {describe(result.best)}"
    if as_flags:
        yield f"add to the command: {' '.join(_flags(result))}"


def _flags(result: TuneResult) -> list[str]:
    pairs = (pair(name, value) for name, value in result.best.items())
    return [f"--engine-arg {shlex.quote(pair)}" for pair in pairs]


def note(result: TuneResult) -> str:
    """The comment above the settings in the job file."""
    best = result.winner
    assert best is not None and best.measured is not None
    now = best.measured.total.tokens_per_second
    present = [one.measured for one in result.settings if not one.changes and one.measured]
    rates = [measured.total.tokens_per_second for measured in present]
    then = f"{max(rates):,.0f} -> " if rates else ""
    what = f"{then}{now:,.0f} tokens/s on {count(result.sampled, 'request')}"
    return f"{clock.now():%Y-%m-%d}: {describe(result.best)}: {what}"


def as_json(result: TuneResult, written: Path | None) -> dict[str, Any]:
    """The result for machines; `written`: the job file that got the best settings, if one did."""
    return {
        "sampled": result.sampled,
        "planned": result.planned,
        "settings": [_setting(one) for one in result.settings],
        "best": dict(result.best) if result.winner else None,
        "flags": _flags(result),
        "seconds_saved": round(result.seconds_saved, 3),
        "money_saved": result.money_saved,
        "written": str(written) if written else None,
        "stopped": result.signal is not None,
    }


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
        "speculation": {
            "drafts": measured.speculation.drafts,
            "draft_tokens": measured.speculation.draft_tokens,
            "accepted_tokens": measured.speculation.accepted_tokens,
            "acceptance": [round(share, 4) for share in measured.speculation.acceptance],
        },
    }
