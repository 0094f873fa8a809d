"""`llmbatch export`: the answers so far in another file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmbatch import __version__
from llmbatch.cli import console
from llmbatch.cli.options import kept_job
from llmbatch.core.errors import UsageError

if TYPE_CHECKING:
    from llmbatch.job.folder import JobPaths
    from llmbatch.job.spec import JobSpec
    from llmbatch.store.database import Database


@click.command()
@kept_job
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option(
    "--meta/--no-meta",
    default=False,
    help="Add finish reason, attempts, tokens, request, run; where the input has a column of such "
    "a name, as response_NAME.",
)
@console.reported
def export(job: Path, output: Path, meta: bool) -> None:
    """Write the answers that a job has so far to another file or format.

    JOB is its job file, its output or its state folder. Only such answers are replaced.
    """
    console.say(write_answers(job, output, meta=meta))


def write_answers(job: Path, output: Path, *, meta: bool) -> str:
    """Write the answers so far to `output`; returns what was done."""
    from llmbatch.cli.find_job import find, require_plan
    from llmbatch.pipeline.rows import earlier_files
    from llmbatch.pipeline.rows.export import export_answers
    from llmbatch.pipeline.run import preflight
    from llmbatch.store import faults, results
    from llmbatch.store.opening import open_store

    paths = find(job)
    with open_store(paths.store, read_only=True) as db:
        spec = _last_spec(db, paths)
        spec = spec.model_copy(update={"output": str(output), "meta": meta})
        target = preflight.make_export(spec, paths.state)
        earlier_files.check(db, target, with_errors=False)
        require_plan(db, paths)
        counts = results.counts(db)
        with faults.understood(paths.store):
            export_answers(db, target, counts)
    return f"{counts.answered:,} answered rows of {counts.rows_in:,} written to {output}"


def _last_spec(db: "Database", paths: "JobPaths") -> "JobSpec":
    """The spec of the job's last run. Raises UsageError if there was none."""
    from llmbatch.job import stored
    from llmbatch.store import run_records

    summaries = run_records.summaries(db)
    if not summaries:
        raise UsageError(f"{paths.state}: no run has begun here yet")
    spec, odd = stored.read_spec(summaries[-1].spec)
    if odd:
        console.say(
            f"warning: {paths.state}: not understood and left out: {', '.join(odd)}; the run was "
            f"one of llmbatch {summaries[-1].version}, this is {__version__}"
        )
    return spec
