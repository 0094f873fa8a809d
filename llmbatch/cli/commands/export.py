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
@click.option(
    "--keep",
    type=click.Choice(["skipped"]),
    help="Rows to write beside the answered ones, without an answer.",
)
@click.option(
    "--skipped",
    "only_skipped",
    is_flag=True,
    help="Write the skipped rows instead, with what each lacks in a column skipped.",
)
@console.reported
def export(job: Path, output: Path, meta: bool, keep: str | None, only_skipped: bool) -> None:
    """Write the answers that a job has so far, or its skipped rows, to another file or format.

    JOB is its job file, its output or its state folder. Only such answers are replaced.
    """
    if only_skipped and (meta or keep):
        raise UsageError("--skipped writes no answers: leave --meta and --keep out")
    console.say(write_answers(job, output, meta=meta, keep=keep, only_skipped=only_skipped))


def write_answers(
    job: Path, output: Path, *, meta: bool, keep: str | None = None, only_skipped: bool = False
) -> str:
    """Write what a job has so far to `output`: the answers and the rows that `keep` names, or
    `only_skipped` rows; returns what was done."""
    from llmbatch.cli.find_job import find, require_plan
    from llmbatch.pipeline.rows import earlier_files
    from llmbatch.pipeline.rows.export import export_answers
    from llmbatch.pipeline.run import preflight
    from llmbatch.store import faults, results
    from llmbatch.store.opening import open_store

    paths = find(job)
    with open_store(paths.store, read_only=True) as db:
        changes = {"output": str(output), "meta": meta, "keep": keep}
        spec = _last_spec(db, paths).model_copy(update=changes)
        target = preflight.make_export(spec, paths.state)
        if only_skipped:
            target = target.of_skipped_rows()
        earlier_files.check(db, target, with_errors=False)
        require_plan(db, paths)
        counts = results.counts(db)
        with faults.understood(paths.store):
            export_answers(db, target, counts)
    written = [f"{getattr(counts, state):,} {state}" for state in target.states]
    return f"{' and '.join(written)} rows of {counts.rows_in:,} written to {output}"


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
