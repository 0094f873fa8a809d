"""`llmbatch merge`: the shards of a job, made one job."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmbatch.cli import console
from llmbatch.cli.options import trust_state
from llmbatch.core.errors import ExitCode

if TYPE_CHECKING:
    from llmbatch.pipeline.run.merge import Merged


@click.command()
@click.argument("jobs", type=click.Path(path_type=Path), metavar="JOB...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Output of the merged job. [default: the one that the shards' runs were given]",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Its state folder. [default: as of a run without shards]",
)
@click.option(
    "--partial", is_flag=True, help="Take what is there, though shards are missing or not done."
)
@click.option("--overwrite", is_flag=True, help="Replace files that llmbatch has not written.")
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@trust_state
@console.reported
def merge(
    jobs: tuple[Path, ...],
    output: Path | None,
    state: Path | None,
    partial: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Make one job of the shards that runs with --shard have worked on.

    JOB is the whole job's output or job file, whose shards lie beside it, or the output or state
    folder of a shard. The merged job has the store, output, error file and report that one run
    would have left, and `llmbatch run` without --shard goes on with it. The shards stay as they
    are, and may be merged again.
    """
    done = take(jobs, output, state, partial=partial, overwrite=overwrite)
    _deliver(done, quiet=quiet)
    console.leave(done.exit_code)


def take(
    jobs: tuple[Path, ...],
    output: Path | None,
    state: Path | None,
    *,
    partial: bool = False,
    overwrite: bool = False,
) -> "Merged":
    """Merge the shards; see `pipeline/run/merge`."""
    from llmbatch.cli.find_job import find_shards
    from llmbatch.job import shard
    from llmbatch.pipeline.run import merge

    found = merge.look([paths for job in jobs for paths in find_shards(job)], partial=partial)
    spec = found[0].spec
    named = shard.whole_name(spec.output) if output is None else str(output)
    folder = str(state) if state else spec.state and shard.whole_name(spec.state)
    return merge.merge(found, named, folder, overwrite=overwrite)


def _deliver(done: "Merged", *, quiet: bool) -> None:
    from llmbatch.cli.end_report import EndReport

    report = EndReport(done.spec, quiet)
    report.deliver(done.paths)
    report.say(done.reason if done.is_new else f"{done.reason}; all of it was merged before")
    if done.exit_code == ExitCode.STOPPED:
        report.say("run the job without --shard for the rest, or its shards, and merge again")
