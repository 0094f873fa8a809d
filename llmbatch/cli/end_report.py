"""The report at the end of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from llmbatch.cli import console, report_files
from llmbatch.cli.notice import Notice
from llmbatch.core import files
from llmbatch.core.errors import LlmbatchError
from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.reports import json, renderers
from llmbatch.reports import report as job_report
from llmbatch.reports.html import svg as html_svg
from llmbatch.reports.report import Report
from llmbatch.reports.text import job as text
from llmbatch.store import trust
from llmbatch.store.opening import open_store


@dataclass(frozen=True, slots=True)
class EndReport:
    """The report of a job after a run: beside its store, in the files that the job names, and on
    stderr unless `quiet`: its first lines, and the details if `verbose`. `notice` gets it, too."""

    spec: JobSpec
    quiet: bool
    verbose: bool = False
    notice: Notice = field(default_factory=lambda: Notice(None))

    def deliver(self, paths: JobPaths, *, only_work: bool = False) -> Report | None:
        """Write the report, and return it; with `only_work` not to stderr if the run sent no
        request.

        A fault in it changes neither the run's work nor its exit code:
        `llmbatch report` shows it later.
        """
        report = None
        with self._unharmed("no report"):
            # The next run of the job may have begun already, or its folder may be gone.
            with open_store(paths.store, read_only=True) as db:
                db.remember()
                report = job_report.build(db)
                db.keep_known()
            if report is not None:
                self._keep(report, paths)
                self._write(report)
                if not self.quiet and (report.last_run.requests or not only_work):
                    console.narrate(text.render(report, details=self.verbose))
        return report

    def say(self, line: str) -> None:
        """One line of narration."""
        if not self.quiet:
            console.say(line)

    def _keep(self, report: Report, paths: JobPaths) -> None:
        with self._unharmed(f"warning: {paths.report}"):
            self.notice.report = json.render(report)
            files.replace_text(paths.report, self.notice.report)
            trust.settle(paths.state)

    def _write(self, report: Report) -> None:
        for path in map(Path, self.spec.run.reports):
            with self._unharmed(f"warning: {path}"):
                style = renderers.style_of(path)
                report_files.write(path, renderers.render(report, style))
                if style == "html" and (lacking := html_svg.lacking()):
                    self.say(f"{path}: {lacking}")

    @contextmanager
    def _unharmed(self, what: str) -> Iterator[None]:
        """Say what is wrong, and go on."""
        try:
            yield
        except LlmbatchError as error:
            self.say(f"{what}: {error}")
        except OSError as error:
            self.say(f"{what}: cannot be written: {error.strerror}")
        except Exception as error:
            # A bug of ours; the run is whole all the same.
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            bug = f"failed, which is a bug in llmbatch ({reason}); the run is not affected"
            self.say(f"{what}: {bug}")
