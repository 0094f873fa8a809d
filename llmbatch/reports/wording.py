"""Distinct names for the values of rows, and sentences that all forms of a report share."""

import re
from collections.abc import Sequence
from dataclasses import asdict

from llmbatch.accounting.costs import Listed
from llmbatch.accounting.usage import RunResources, RunUsage
from llmbatch.core import units
from llmbatch.engines import grammar_plan
from llmbatch.reports.report import ConstraintUse
from llmbatch.store.results import SettledRows

_MISSING = "(none)"
_EMPTY = "(empty)"
_BETWEEN = " / "

# As our own names look, or as a value in quotes does.
_LIKE_OURS = re.compile(r"\(.*\)|['\"].*", re.DOTALL)
_FURTHER_BLANK = re.compile(r"(?<= ) ")


def value(given: str | None) -> str:
    """A value of a row: no two of them look the same, nor like one that is missing or empty. One
    with blanks that do not show, or that looks like a name of ours, stands in quotes."""
    if given is None:
        return _MISSING
    if not given:
        return _EMPTY
    plain = given.isprintable() and given == " ".join(given.split())
    return given if plain and not _LIKE_OURS.fullmatch(given) else _quoted(given)


def _quoted(given: str) -> str:
    return _FURTHER_BLANK.sub(r"\\x20", repr(given))


def values(given: Sequence[str | None], longest: int = 0) -> list[str]:
    """The values of several columns, such that what stands between them is not taken for a part
    of one; each cut after `longest` characters (0: never)."""
    apart = [
        _quoted(each) if each and len(given) > 1 and _BETWEEN in each else value(each)
        for each in given
    ]
    return [f"{each[: longest - 1]}…" if 0 < longest < len(each) else each for each in apart]


def group(given: Sequence[str | None], note: str | None, longest: int = 0) -> str:
    """The name of rows with these values, or of what a note says of no values."""
    return f"({note})" if note is not None else _BETWEEN.join(values(given, longest))


def constraint(use: ConstraintUse | None) -> str:
    """The holding of answers to their form; empty where nothing is known of it."""
    return "" if use is None else grammar_plan.line(asdict(use))


def control_tokens(rows: int) -> str:
    """A note on `rows` that hold control tokens; empty where there are none."""
    if not rows:
        return ""
    return f"{units.count(rows, 'row')} with control tokens of the model, which are sent as text"


def cut_answers(rows: int) -> str:
    """A note on `rows` whose answers were cut and are kept; empty where there are none."""
    if not rows:
        return ""
    return f"{units.number(rows)} of the answers {'was' if rows == 1 else 'were'} cut off, and kept"


def reasoning(tokens: int) -> str:
    """A note on the `tokens` that models thought; empty where there are none."""
    return f"{units.number(tokens)} of all output tokens, before the answers" if tokens else ""


def compared(ratio: float) -> str:
    """Another price, `ratio` times this cost, in words: less, more, or so many times."""
    if ratio < 0.1:
        return f"{units.share(ratio)} of this cost"
    percent = f"{100 * abs(ratio - 1):.0f} %"
    if percent == "0 %":
        return "as much as this cost"
    if ratio >= 2:
        return f"{ratio:,.{0 if ratio >= 100 else 1}f} times this cost"
    return f"{percent} {'more' if ratio > 1 else 'less'} than this cost"


def no_money(runs: Sequence[RunUsage]) -> str:
    """The reason why the runs' money is not known, and a way to know it."""
    if all(run.cost is not None for run in runs):
        named = sorted({run.currency for run in runs})
        return (
            f"prices in different currencies ({', '.join(named)}), which do not add up; "
            f"give one for all, as in --price-per-hour 2.50 --currency {named[0]}"
        )
    which = "" if len(runs) == 1 else " (every run needs one)"
    return f"give --price-per-hour or --price-per-million to see money{which}"


def listed(price: Listed | None, currency: str) -> str:
    """The cost of the same tokens at a listed price; empty where there is nothing to compare."""
    if price is None or not price.is_shown:
        return ""
    prices = [price.input, price.output] + ([] if price.cached is None else [price.cached])
    whose = f"{price.name}, " if price.name else ""
    times = "" if price.ratio is None else f": {compared(price.ratio)}"
    cost = units.money(price.cost, currency)
    each = "/".join(map(units.price, prices))
    return f"{cost} for the same tokens at {whose}{each} a million{times}"


def attempts(lines: Sequence[SettledRows]) -> str:
    """The rows that were settled after each number of attempts; empty if one was enough for all."""
    settled = [line for line in lines if line.attempts > 0]
    if all(line.attempts == 1 for line in settled):
        return ""
    return ", ".join(f"{line.answered + line.failed:,} after {line.attempts}" for line in settled)


def ended(run: RunUsage) -> str:
    """The reason for which a run ended, with its exit code if it lived to have one."""
    return run.reason + ("" if run.exit_code is None else f" (exit code {run.exit_code})")


def resources(used: RunResources | None) -> dict[str, str]:
    """The measured use of the machine by name."""
    if used is None:
        return {}
    amounts = {
        "CPU time": units.seconds(used.cpu_seconds),
        "peak memory": units.size(used.peak_memory_bytes),
    }
    if used.gpu_utilization is not None:
        amounts["mean GPU utilization"] = units.share(used.gpu_utilization)
    if used.gpu_memory_bytes is not None:
        amounts["GPU memory"] = units.size(used.gpu_memory_bytes)
    if used.energy_joules is not None:
        amounts["energy"] = units.energy(used.energy_joules)
    return amounts


def speeds(flops: float, bandwidth: float) -> str:
    """The best that a device can do, in FLOP/s and bytes a second."""
    compute = units.significant(flops / 1e12, 3)
    return f"{compute} TFLOP/s, {units.significant(bandwidth / 1e9, 3)} GB/s"
