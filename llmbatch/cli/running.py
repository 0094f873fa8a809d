"""`llmbatch run`: the run, then its report."""

from pathlib import Path
from typing import Any

from llmbatch.cli import console, narration
from llmbatch.core.errors import ExitCode, LlmbatchError, UsageError
from llmbatch.pipeline import jobfile, paths
from llmbatch.pipeline import run as pipeline
from llmbatch.pipeline.paths import JobPaths
from llmbatch.reports import json, model, text
from llmbatch.store import files
from llmbatch.store.database import Database


def run(job_file: Path | None, flags: dict[str, Any], *, quiet: bool) -> None:
    """Run the job and leave with its exit code."""
    spec = jobfile.load(job_file, flags)
    try:
        result = pipeline.execute(spec, narration.observer(quiet=quiet))
    except LlmbatchError as error:
        if error.exit_code == ExitCode.ENGINE:
            _report(paths.of_spec(spec), quiet=quiet, only_work=True)
        raise
    _report(paths.of_spec(spec), quiet=quiet)
    if not quiet and result.exit_code != ExitCode.OK:
        console.say(_ending(result, spec.output))
    leave = console.leave_at_once if result.engine_left else console.leave
    leave(result.exit_code)


def _ending(result: pipeline.RunResult, output: str) -> str:
    if result.counts.pending:
        return f"{result.reason}; {result.counts.pending:,} rows left: run the same command again"
    return f"{result.reason}; see {paths.errors_of_output(Path(output))}"


def _report(job: JobPaths, *, quiet: bool, only_work: bool = False) -> None:
    """Keep the report beside the store and show it; with `only_work` not one of an idle run."""
    with Database.open(job.store, read_only=True) as db:
        report = model.build(db)
    if report is None:
        return
    try:
        files.replace_text(job.report, json.render(report))
    except OSError as error:
        raise UsageError(f"{job.report}: cannot be written: {error.strerror}") from error
    if not quiet and (report.last_run.requests or not only_work):
        console.narrate(text.render(report))
