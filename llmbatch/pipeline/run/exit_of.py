"""The exit code of a run that ended in order."""

from llmbatch.core import units
from llmbatch.core.errors import ExitCode
from llmbatch.job.run_settings import RunSpec
from llmbatch.job.stop_rules import Tolerance
from llmbatch.pipeline.run.stop_request import StopRequest
from llmbatch.store.failures import NewFailures
from llmbatch.store.results import Counts


def exit_of(
    counts: Counts,
    new: NewFailures,
    stop: StopRequest,
    rules: RunSpec,
    gold_failure: str | None = None,
) -> tuple[ExitCode, str]:
    """The exit code of a run that ended in order, and the reason in a few words. `gold_failure`:
    that of the gold rows, if they have failed."""
    if gold_failure is not None:
        return ExitCode.GOLD, gold_failure
    if counts.pending:
        code = ExitCode(128 + stop.signal) if stop.signal else ExitCode.STOPPED
        return code, stop.reason or "stopped"
    lost = counts.failed + counts.rejected
    # A run in which no row was answered is never a success, unless there is none in the input.
    if lost == 0 and counts.skipped and not counts.answered:
        return ExitCode.INCOMPLETE, "finished, no row was asked: all were skipped"
    if lost == 0:
        return ExitCode.OK, "finished"
    known = ", none new" if not new.rows else f", {new.rows:,} new"
    told = f"finished, {units.count(lost, 'row')} not answered{known if new.rows < lost else ''}"
    if counts.answered and (granted := _granted(counts, new, rules)):
        return ExitCode.OK, f"{told} ({granted})"
    return ExitCode.INCOMPLETE, told


def _granted(counts: Counts, new: NewFailures, rules: RunSpec) -> str:
    """The flags that let these failures pass; empty if none does, or if one does not."""
    asked = (
        ("--max-failed", rules.max_failed, counts.failed + counts.rejected, counts.asked),
        ("--max-new-failed", rules.max_new_failed, new.rows, new.worked),
    )
    given = [(f"{name} {text}", text, rows, of) for name, text, rows, of in asked if text]
    if not all(Tolerance.parse(text).covers(rows, of) for _, text, rows, of in given):
        return ""
    return ", ".join(flag for flag, *_ in given)
