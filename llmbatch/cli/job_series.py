"""Several jobs in one command, in the order given: each has its own store, report and exit code,
and uses the engine of an earlier one where it can."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from llmbatch.cli import console, narration
from llmbatch.cli.eventlog import EventLog
from llmbatch.cli.job_run import JobRun
from llmbatch.cli.listed_job import ListedJob
from llmbatch.cli.notice import Notice
from llmbatch.cli.options import JobArguments
from llmbatch.cli.show import Show
from llmbatch.core import clock, units
from llmbatch.core.errors import EngineError, ExitCode, HungEngineError, LlmbatchError
from llmbatch.pipeline.run.kept_engine import EngineUse
from llmbatch.pipeline.run.series import RunSeries

# From the least to the worst: one that another run works on, then what the next command may mend,
# then what it will not.
_SEVERITY = (
    ExitCode.OK,
    ExitCode.LOCKED,
    ExitCode.INCOMPLETE,
    ExitCode.STOPPED,
    ExitCode.GOLD,
    ExitCode.ENGINE,
    ExitCode.USAGE,
    ExitCode.BUG,
    ExitCode.SIGHUP,
    ExitCode.SIGINT,
    ExitCode.SIGTERM,
)
# Exit codes of a job whose output is whole.
_WHOLE = (ExitCode.OK, ExitCode.INCOMPLETE)
_LONGEST = 120


@dataclass(frozen=True, slots=True)
class JobEnd:
    """The end of a job after so many seconds; of one that was not begun, 0."""

    job: ListedJob
    code: ExitCode
    reason: str
    seconds: float = 0.0
    is_begun: bool = True

    def line(self) -> str:
        """The job in a line."""
        reason = self.reason if len(self.reason) <= _LONGEST else f"{self.reason[:_LONGEST]}..."
        if not self.is_begun:
            return f"{self.job.name}: exit {self.code:d}, not begun: {reason}"
        told = [f"exit {self.code:d}", *filter(None, [reason])]
        if (result := self.job.run.result) is not None:
            rows = units.count(result.counts.asked, "row")
            told.append(f"{units.number(result.counts.answered)} of {rows} answered")
        told += [units.seconds(self.seconds), *filter(None, [self._cost()])]
        return f"{self.job.name}: {', '.join(told)}"

    def _cost(self) -> str:
        report = self.job.run.report
        if report is None or self.job.run.result is None or report.costs.physical is None:
            return ""
        return units.money(report.costs.physical, report.currency)

    def as_json(self) -> dict[str, Any]:
        """Its figures, for the event log."""
        return {
            "job": self.job.name,
            "exit_code": int(self.code),
            "reason": self.reason,
            "begun": self.is_begun,
            "seconds": round(self.seconds, 3),
        }


def run(
    names: Sequence[str], given: dict[str, Any], show: Show, notify: str | None, *, fresh: bool
) -> ExitCode:
    """Run the jobs of these files, and return the worst of their exit codes. `given`: the flags,
    which are for all of them. Raises UsageError for flags that cannot be read."""
    series, began = RunSeries(), clock.seconds()
    jobs = [
        ListedJob(
            JobRun(JobArguments.parse([name], given), show, Notice(notify), fresh, name, series)
        )
        for name in names
    ]
    ends: list[JobEnd] = []
    series.stop.patience = 0  # between two runs a signal ends all at once
    with series.stop:
        try:
            _check(jobs, began)
            for end in _ends(jobs, series, ends):
                ends.append(end)
        except KeyboardInterrupt:
            series.stop.signal = series.stop.signal or signal.SIGINT
        with suppress(KeyboardInterrupt, EngineError):
            series.close()
    code = _code(ends, series)
    ends += [
        _not_begun(job, "the command was stopped by a signal", code) for job in jobs[len(ends) :]
    ]
    _show_end(ends, code, show, clock.seconds() - began, series)
    return code


def worst(codes: Sequence[ExitCode]) -> ExitCode:
    """The worst of the exit codes of several jobs."""
    return max(codes, key=_SEVERITY.index, default=ExitCode.OK)


def _code(ends: Sequence[JobEnd], series: RunSeries) -> ExitCode:
    if series.stop.signal:
        return ExitCode(128 + series.stop.signal)
    return worst([end.code for end in ends])


def _check(jobs: Sequence[ListedJob], called: float) -> None:
    """Read and check all jobs; say which of them should stand next to each other."""
    for number, job in enumerate(jobs):
        with console.about(job.name):
            job.check(jobs[:number], called)
    sound = [job for job in jobs if job.uses]
    kinds = [_kind(job.uses, sound) for job in sound]
    blocks = [kind for kind, _ in groupby(kinds)]
    if len(blocks) > len(set(blocks)) and not (sound[0].run.show.quiet or sound[0].run.show.is_log):
        console.say(
            f"{units.count(len(set(blocks)), 'engine')} would be started {len(blocks)} times: jobs "
            "run in the order given, so name those next to each other that can share an engine"
        )


def _kind(uses: Sequence[EngineUse], jobs: Sequence[ListedJob]) -> int:
    """The number of the first job with the same engines."""
    for number, job in enumerate(jobs):
        if len(uses) == len(job.uses) and all(map(EngineUse.is_alike, uses, job.uses)):
            return number
    raise AssertionError("a job has its own engines")


def _ends(jobs: Sequence[ListedJob], series: RunSeries, ends: list[JobEnd]) -> Iterator[JobEnd]:
    """Run one job after the other; `ends` has those of the jobs before."""
    for number, job in enumerate(jobs):
        if series.stop.signal:
            return
        if series.is_hung:
            yield _not_begun(job, "an engine hangs, and holds the device", ExitCode.STOPPED)
        elif job.after is not None and _failed(job.after, ends):
            why = f"its input is the output of {job.after.name}, which has not finished"
            yield _not_begun(job, why, ExitCode.STOPPED)
        else:
            series.job, series.deadline = job.name, job.deadline
            series.later = [use for later in jobs[number + 1 :] for use in later.uses]
            yield _run(job, series)


def _failed(job: ListedJob, ends: Sequence[JobEnd]) -> bool:
    return any(end.job is job and end.code not in _WHOLE for end in ends)


def _not_begun(job: ListedJob, reason: str, code: ExitCode) -> JobEnd:
    job.run.notice.reason = f"not begun: {reason}"
    job.run.notice.send(code)
    return JobEnd(job, code, reason, is_begun=False)


def _run(job: ListedJob, series: RunSeries) -> JobEnd:
    began = clock.seconds()
    with console.about(job.name):
        code = _exit_of(job, series)
        job.run.notice.send(code)
    return JobEnd(job, code, job.run.notice.reason, clock.seconds() - began)


def _exit_of(job: ListedJob, series: RunSeries) -> ExitCode:
    """Run a job, and tell what went wrong with it: that is no matter of the jobs after it."""
    try:
        with job.run.notice.told():
            if job.fault is not None:
                raise job.fault
            return job.run.run()
    except LlmbatchError as error:
        series.is_hung |= isinstance(error, HungEngineError)
        if not job.run.is_told:
            console.say(f"error: {' '.join(str(error).split())}")
        return ExitCode(error.exit_code)
    except KeyboardInterrupt as stop:
        series.stop.signal = series.stop.signal or signal.SIGINT
        return ExitCode(stop.args[0] if stop.args else 128 + series.stop.signal)
    except BrokenPipeError:
        console.abandon_stdout()
        return ExitCode.OK
    except Exception:
        console.tell_bug()
        return ExitCode.BUG
    finally:
        if not series.stop.signal:
            with suppress(EngineError):  # of this job nothing is lost
                series.engine_is_free()


def _show_end(
    ends: Sequence[JobEnd], code: ExitCode, show: Show, seconds: float, series: RunSeries
) -> None:
    """A line for each job, and one for the command; an event for machines."""
    if show.log_json is not None and any(end.job.run.is_logged for end in ends):
        log = EventLog(show.log_json, narration.Silent())
        log.event("jobs_ended", exit_code=int(code), jobs=[end.as_json() for end in ends])
    if show.quiet or show.is_log:
        return
    for end in ends:
        console.say(end.line())
    console.say(
        f"{units.count(len(ends), 'job')}, {units.count(series.keeper.starts, 'engine start')}, "
        f"{units.seconds(seconds)}: exit {code:d}"
    )
