"""The lines of a report that matter first, in the words that all of its forms share: what came out,
what went wrong, what it cost, what to do next, and what the answers are like."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from llmbatch.core import units
from llmbatch.core.errors import ExitCode
from llmbatch.core.units import count, number
from llmbatch.quality.drift import comparison
from llmbatch.reports import calibration_words, change_words, flag_words, stage_words, wording
from llmbatch.reports.report import FailureLine, Report

_MOST_KINDS = 5
_MOST_ADVICE = 3
_LONGEST_MESSAGE = 160
# The note of an input of which only some rows are taken.
_PART = re.compile(r"only [\d,]+ of its .* taken \((?P<flags>.*)\)")


@dataclass(frozen=True, slots=True)
class FirstLine:
    """A label, and the sentences about it, a line each."""

    label: str
    texts: list[str]


def build(report: Report) -> list[FirstLine]:
    """The lines on the work, after those on how the input is written, if there is something to
    know; those on the answers are in `answer_words`."""
    notes = [FirstLine("input", list(report.input_notes))] if report.input_notes else []
    return [
        *notes,
        *_drift(report),
        FirstLine("rows", list(_rows(report))),
        FirstLine("went wrong", list(_went_wrong(report))),
        *_models(report),
        *_gold(report),
        *_flags(report),
        *_changes(report),
        FirstLine("cost", list(_cost(report))),
        FirstLine("next", list(_next(report))),
    ]


def _drift(report: Report) -> Iterator[FirstLine]:
    if report.drift.changes:
        yield FirstLine("drift", comparison.lines(report.drift))


def _models(report: Report) -> Iterator[FirstLine]:
    if texts := list(stage_words.lines(report.cascade, report.currency)):
        yield FirstLine("models", texts)


def _gold(report: Report) -> Iterator[FirstLine]:
    if report.calibration is not None:
        yield FirstLine("right", list(calibration_words.lines(report.calibration)))


def _flags(report: Report) -> Iterator[FirstLine]:
    for origin, label in flag_words.LABELS.items():
        if texts := flag_words.lines(report, origin):
            yield FirstLine(label, texts)


def _changes(report: Report) -> Iterator[FirstLine]:
    if report.changes is not None and change_words.is_notable(report.changes):
        yield FirstLine("changed", list(change_words.lines(report.changes)))


def _rows(report: Report) -> Iterator[str]:
    counts = report.counts
    states = {
        "answered": counts.answered,
        "failed": counts.failed,
        "rejected": counts.rejected,
        **({"skipped": counts.skipped} if counts.skipped else {}),
        **({"pending": counts.pending} if counts.pending else {}),
    }
    parts = " + ".join(f"{number(rows)} {state}" for state, rows in states.items())
    yield f"{number(report.rows_in)} in = {parts}"
    meanings = {
        "rejected": "rejected: lines that cannot be read as a row",
        "skipped": "skipped: not asked, since they lack what the prompt needs",
        "pending": "pending: not computed yet",
    }
    if told := [text for state, text in meanings.items() if states.get(state)]:
        yield f"({'; '.join(told)})"
    for skip in report.skips[:_MOST_KINDS]:
        yield f"{number(skip.rows)} not asked: {wording.cut(skip.reason, _LONGEST_MESSAGE)}"
    if report.ranking is not None and report.ranking.left_out:
        yield wording.ranking(report.ranking)
    if cut := wording.cut_answers(report.cut_answers):
        yield f"{cut} (--on-truncated keep; their finish_reason says so)"
    if sources := list(_sources(report)):
        yield f"of the answered ones, {', '.join(sources)}"


def _sources(report: Report) -> Iterator[str]:
    """The answers that were not computed for their row in the last run."""
    if report.reused:
        yield f"{count(report.reused, 'row')} reused from earlier runs"
    if shared := report.duplicates.answered:
        yield f"{count(shared, 'row')} got the answer of an equal row"


def _went_wrong(report: Report) -> Iterator[str]:
    counts, new = report.counts, report.new_failures
    lost = counts.failed + counts.rejected
    if deaths := report.last_run.engine_deaths:
        yield f"the engine died {count(deaths, 'time')}; what was in flight is asked again"
    if is_gold := _failed_gold(report):
        yield f"{report.runs[-1].reason}; nothing else was run, and no output written"
    if not lost and not deaths and not is_gold:
        yield "nothing: no row failed, and none was rejected"
    if not lost:
        return
    what = {"failed": counts.failed, "was rejected" if lost == 1 else "rejected": counts.rejected}
    parts = [f"{number(rows)} {state}" for state, rows in what.items() if rows]
    yield f"{' and '.join(parts)}, {wording.newness(new.rows, lost)}"
    yield from (_failure(report, each) for each in report.failures[:_MOST_KINDS])
    for each in report.rejects[:_MOST_KINDS]:
        reason = wording.cut(each.reason, _LONGEST_MESSAGE)
        yield f"{number(each.rows)} rejected: {reason} ({each.where})"
    more = len(report.failures) - _MOST_KINDS
    if more > 0:
        yield f"and {count(more, 'other kind')} of failure"


def _failed_gold(report: Report) -> bool:
    """True if the last run has ended for its gold rows."""
    return report.runs[-1].exit_code == ExitCode.GOLD


def _failure(report: Report, failure: FailureLine) -> str:
    examples = report.details.failure_examples
    seen = next((each for each in examples if each.kind == failure.kind), None)
    where = "" if seen is None else f", such as {wording.place(seen.id, seen.line)}"
    message = wording.cut(failure.example, _LONGEST_MESSAGE)
    return f"{number(failure.rows)} {failure.kind}{where}: {message}"


def _cost(report: Report) -> Iterator[str]:
    last, every, costs = report.last_run, report.all_runs, report.costs
    time = units.seconds(last.seconds)
    if costs.physical is None:
        yield f"{time}; {wording.no_money(report.runs[-1:])}"
    else:
        paid = units.money(costs.physical, report.currency)
        each = ""
        if costs.per_1000_rows is not None:
            each = f", {units.money(costs.per_1000_rows, report.currency)} per 1,000 rows"
        yield f"{paid}{each}; {time}"
    if every.runs > 1:
        yield f"all {number(every.runs)} runs: {_of_all(report)}"


def _of_all(report: Report) -> str:
    every = report.all_runs
    time = units.seconds(every.seconds)
    if every.cost is None:
        return time
    without = wording.unpriced(report.runs, every, report.currency)
    return f"{units.money(every.cost, report.currency)}; {time}{without and f'; {without}'}"


def _next(report: Report) -> Iterator[str]:
    yield from next_steps(report) or ["nothing: every row that was asked is answered"]


def next_steps(report: Report) -> list[str]:
    """The things that a user can do now, the most useful first; empty where nothing is left."""
    counts = report.counts
    steps = []
    if _failed_gold(report):
        steps.append(
            "see which gold rows are wrong (llmbatch eval), mend the prompt, the model or the gold "
            "set, and run the command again"
        )
    elif counts.pending:
        are = "is" if counts.pending == 1 else "are"
        pending = f"{count(counts.pending, 'row')} {are} pending"
        steps.append(f"{pending}: run the same command again to go on")
    for note in report.input_notes:
        if (found := _PART.fullmatch(note)) and not counts.pending:
            steps.append(f"the other rows were not chosen: leave {found['flags']} out to go on")
    steps += list(dict.fromkeys(each.advice for each in report.failures))[:_MOST_ADVICE]
    if counts.rejected:
        steps.append("mend the rejected lines, which are in the error file with their reasons")
    if report.changes is not None:
        steps += change_words.next_steps(report.changes, report.output)
    lost = counts.failed + counts.rejected
    is_known = lost and not report.new_failures.rows and not counts.pending
    if is_known and report.runs[-1].exit_code:
        steps.append("to let failures pass that are known already: --max-new-failed 0")
    return steps
