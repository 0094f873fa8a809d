"""Distinct names for the values of rows, and sentences that all forms of a report share."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from llmbatch.accounting.costs import Listed
from llmbatch.accounting.speculation import SpeculationUse
from llmbatch.accounting.usage import RunResources, RunUsage, TotalUsage
from llmbatch.core import units
from llmbatch.engines import grammar_plan
from llmbatch.reports.report import ConstraintUse, Duplicates, Ranking
from llmbatch.store.results import SettledRows

_MISSING = "(none)"
_EMPTY = "(empty)"
_BETWEEN = " / "
_MOST_NAMED = 5
_LONGEST_ID = 40

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
    return [cut(each, longest) for each in apart]


def cut(text: str, longest: int) -> str:
    """A text, cut after `longest` characters (0: never)."""
    return f"{text[: longest - 1]}…" if 0 < longest < len(text) else text


TERMS = {
    "request": "what the engine is asked for a row; rows that ask the same share one",
    "token": "a piece of a word, in which models read, write and are paid",
    "prefix cache": "beginnings of prompts that the engine keeps and need not compute again",
    "reused": "answered by an earlier run, since exactly the same was asked",
    "attempt": "one try of a request; what fails may be tried again",
    "step": "one pass of the engine over the requests that run at once",
    "checkpoint": "answers written to the store; a kill loses none before it",
    "device-hour": "one device for one hour, from the start of a run to its end",
}
"""The terms of the details, each in a few words."""


def place(row: str, line: int) -> str:
    """A row of the input, by its id, unless that is its line."""
    if row == str(line):
        return f"line {units.number(line)}"
    return f"row {cut(value(row), _LONGEST_ID)} (line {units.number(line)})"


def newness(new: int, of: int) -> str:
    """The number of failures that no run had met when it came to its end, of so many."""
    if new == 0:
        return "none new"
    return "new" if new == of == 1 else "all new" if new == of else f"{units.number(new)} new"


def unpriced(runs: Sequence[RunUsage], total: TotalUsage, currency: str) -> str:
    """The runs whose money is not in the total, with the reasons; empty where there are none."""
    out = [run for run in runs if run.run in total.unpriced_runs and total.cost is not None]
    foreign = [run for run in out if run.cost is not None]
    free = [run for run in out if run.cost is None]
    parts = []
    if free:
        parts.append(f"{_runs(free)}, which had no price")
    if foreign:
        paid = sorted({run.currency for run in foreign})
        parts.append(f"{_runs(foreign)}, paid in {' and '.join(paid)}, not {currency}")
    return f"without {' and '.join(parts)}" if parts else ""


def _runs(runs: Sequence[RunUsage]) -> str:
    """Runs by their numbers: all of a few, the first ones of many."""
    shown = ", ".join(str(run.run) for run in runs[:_MOST_NAMED])
    more = len(runs) - _MOST_NAMED
    further = f" and {units.number(more)} more" if more > 0 else ""
    return f"run{'' if len(runs) == 1 else 's'} {shown}{further}"


def group(given: Sequence[str | None], note: str | None, longest: int = 0) -> str:
    """The name of rows with these values, or of what a note says of no values."""
    return f"({note})" if note is not None else _BETWEEN.join(values(given, longest))


def samples(count: int) -> str:
    """After the number of requests: how many of them a row has, where it has several."""
    return f" ({units.count(count, 'sample')} of each row)" if count > 1 else ""


def duplicates(shared: Duplicates) -> str:
    """The rows that are equal to another in what is asked, and those of them that have its
    answer."""
    if not shared.rows:
        return "no duplicates"
    answered = units.number(shared.answered)
    return f"{units.count(shared.rows, 'duplicate')} of another row, {answered} of them answered"


def constraint(use: ConstraintUse | None) -> str:
    """The holding of answers to their form; empty where nothing is known of it."""
    return "" if use is None else grammar_plan.line(asdict(use))


def control_tokens(rows: int) -> str:
    """A note on `rows` that hold control tokens; empty where there are none."""
    if not rows:
        return ""
    return f"{units.count(rows, 'row')} with control tokens of the model, which are sent as text"


def ranking(given: Ranking) -> str:
    """The answered rows that are written because they are the best of their groups."""
    of = "the same query" if given.group_by is None else f"the same {value(given.group_by)}"
    best = "the best one" if given.top == 1 else f"the best {units.number(given.top or 0)}"
    groups = f"of rows with {of}"
    others = "the other is" if given.left_out == 1 else f"{units.number(given.left_out)} others are"
    return (
        f"{units.number(given.written)} of the answered ones are written, {best} of each of "
        f"{units.count(given.groups, 'group')} {groups}; {others} not (--top)"
    )


def cut_answers(rows: int) -> str:
    """A note on `rows` whose answers were cut and are kept; empty where there are none."""
    if not rows:
        return ""
    return f"{units.number(rows)} of the answers {'was' if rows == 1 else 'were'} cut off, and kept"


def reasoning(tokens: int) -> str:
    """A note on the `tokens` that models thought; empty where there are none."""
    return f"{units.number(tokens)} of all output tokens, before the answers" if tokens else ""


NOT_TOLD = "not told by the servers"


def is_cache_told(report_engine: Mapping[str, Any] | None, cached: int) -> bool:
    """False where an engine that asks servers knows of no cached tokens: most servers do not tell
    them, and 0 would say that there are none."""
    of_servers = report_engine is not None and report_engine.get("engine") == "openai"
    return bool(cached) or not of_servers


def spared(tokens: int) -> str:
    """A note on the `tokens`, and more, that need not be drawn; empty where there are none."""
    if not tokens:
        return ""
    return (
        f"at least {units.number(tokens)} more were spared, each of them a step of its request: "
        "only one of the choices was left"
    )


def speculation(use: SpeculationUse | None, currency: str) -> str:
    """A note on tokens that were drafted ahead; empty where there were none."""
    if use is None:
        return ""
    share = use.accepted_tokens / use.draft_tokens if use.draft_tokens else 0.0
    places = ", ".join(units.share(each) for each in use.acceptance)
    most = f"at most {units.seconds(use.most_seconds_saved)}"
    if use.most_money_saved is not None:
        most += f" and {units.money(use.most_money_saved, currency)}"
    return (
        f"{units.count(use.drafts, 'draft')} of {units.count(use.draft_tokens, 'token')} in all, "
        f"{units.number(use.accepted_tokens)} accepted ({units.share(share)}; by position "
        f"{places}): about {units.count(round(use.steps_saved), 'step')} saved, {most}"
    )


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
    """A way to know the money of runs of which none had a price."""
    these = "the run" if len(runs) == 1 else "the runs"
    return f"{these} had no price; give --price-per-hour or --price-per-million to see money"


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


def told(usage: TotalUsage) -> str:
    """The retries that were told what was wrong; empty if none was."""
    tries, answered = usage.retries_with_feedback, usage.answered_with_feedback
    if not tries:
        return ""
    verb = "was" if answered == 1 else "were"
    return f"with feedback: {tries:,}, of which {answered:,} {verb} answered"


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
