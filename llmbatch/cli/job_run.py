"""One run of a job by the command line: narrated, logged, reported, and its end in an exit code."""

from dataclasses import dataclass
from functools import cached_property

from llmbatch.cli import eventlog, narration, report_files
from llmbatch.cli.end_report import EndReport
from llmbatch.cli.eventlog import EventLog
from llmbatch.cli.notice import Notice
from llmbatch.cli.options import JobArguments
from llmbatch.cli.show import Show
from llmbatch.core import units
from llmbatch.core.errors import DeviceLockedError, ExitCode, LlmbatchError, LockedError
from llmbatch.estimate.cache_forecaster import Forecaster
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run import request_file
from llmbatch.pipeline.run.execute import RunResult, execute
from llmbatch.pipeline.run.preflight import CommandFiles, make_ready
from llmbatch.pipeline.run.series import RunSeries
from llmbatch.reports.report import Report
from llmbatch.store import connection


@dataclass
class JobRun:
    """The run of a job. `fresh`: its former answers are forgotten; `name`: of the job, in a command
    of several, and `series` those of its runs.

    `is_logged`: there is an event log; `is_told`: an error stands in it, and is not narrated.
    `result` and `report` are None until there are any.
    """

    arguments: JobArguments
    show: Show
    notice: Notice
    fresh: bool = False
    name: str = ""
    series: RunSeries | None = None
    is_told: bool = False
    is_logged: bool = False
    result: RunResult | None = None
    report: Report | None = None

    @cached_property
    def spec(self) -> JobSpec:
        """The checked spec. Raises UsageError."""
        return self.arguments.load()

    @cached_property
    def files(self) -> CommandFiles:
        """The files that the command reads and writes beside those of the job."""
        return CommandFiles(self.arguments.sources(), report_files.targets(self.spec))

    def ready(self) -> ReadyJob:
        """The job made ready. Raises UsageError."""
        return make_ready(self.spec, self.files)

    def run(self) -> ExitCode:
        """Run the job, deliver its report, and return its exit code. Raises as a run does; a run
        that may be skipped is no error."""
        with connection.kept():
            return self._run()

    def _run(self) -> ExitCode:
        show, spec, notice = self.show, self.spec, self.notice
        report = EndReport(spec, show.quiet or show.is_log, show.verbose, notice)
        notice.about = {"LLMBATCH_OUTPUT": spec.output}
        observer = narration.observer(quiet=report.quiet)
        log = None
        if show.log_json is not None:
            log = eventlog.open_log(show.log_json, spec, self.files, observer, self.name)
            self.is_logged = True
        job = None
        try:
            job = self.ready()
            result = self.result = execute(
                job, log or observer, fresh=self.fresh, forecaster=Forecaster, series=self.series
            )
        except LlmbatchError as error:
            notice.reason = str(error)
            if self._is_skipped(error, log, report):
                return ExitCode.OK
            if job is not None and error.exit_code == ExitCode.ENGINE:
                self.report = report.deliver(job.paths, only_work=True)
            if log:
                log.error(error)
            self.is_told = show.is_log
            raise
        if not request_file.is_wanted(job):
            self.report = report.deliver(job.paths)
        if result.exit_code != ExitCode.OK or result.counts.answered < result.counts.asked:
            report.say(_ending(result, job, fresh=self.fresh))
        notice.reason = result.reason
        return result.exit_code

    def _is_skipped(self, error: LlmbatchError, log: EventLog | None, report: EndReport) -> bool:
        """True for a job whose lock, or device, another run has, if it may be skipped then."""
        if not isinstance(error, LockedError):
            return False
        settings = self.spec.run
        is_device = isinstance(error, DeviceLockedError)
        name = "device_lock" if is_device else "if_locked"
        policy = settings.device_lock if is_device else settings.if_locked
        if log:
            log.event("locked", reason=str(error), **{name: policy})
        if policy != "skip":
            return False
        report.say(f"skipped: {error}")
        return True


def _ending(result: RunResult, job: ReadyJob, *, fresh: bool) -> str:
    if request_file.is_wanted(job):
        then = f"llmbatch import {job.paths.state} ANSWERS.jsonl"
        return f"{result.reason}; once it is answered: {then}"
    if result.exit_code == ExitCode.GOLD:
        left = units.count(result.counts.pending, "row")
        rest = f"{left} not run" if result.counts.pending else "no output was written"
        return f"{result.reason}; {rest}. Which are wrong: llmbatch eval {job.paths.state}"
    if result.counts.pending:
        how = "without --fresh " if fresh else ""
        pending = f"{units.count(result.counts.pending, 'row')} left"
        return f"{result.reason}; {pending}: run the same command {how}again"
    if result.counts.failed + result.counts.rejected:
        return f"{result.reason}; see {job.output.errors}"
    return result.reason
