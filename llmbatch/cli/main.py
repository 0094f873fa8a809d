"""The commands."""

import sys
from pathlib import Path
from typing import Any

import click

from llmbatch import __version__
from llmbatch.cli import console
from llmbatch.cli.options import check_text, cost_options, costs, job_options, kept_job, split

_HELP = {"help_option_names": ["-h", "--help"]}


@click.group(cls=console.Commands, epilog=console.EXIT_CODES, context_settings=_HELP)
@click.version_option(__version__, prog_name="llmbatch")
def cli() -> None:
    """Durable batch jobs for language models on your own GPU.

    A job reads rows from CSV or JSONL, makes a request of each, answers them with a local
    engine, and writes one record per answered row, in input order. A killed job goes on where
    it was: run the same command again.
    """


@cli.command(epilog=console.EXIT_CODES)
@job_options
@click.option("--fresh", is_flag=True, help="Forget the job's former answers and compute all.")
@click.option(
    "--log-json",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Append one JSON line per life event; - is stderr, without other narration.",
)
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the report there, too: .txt, .json, .md or .html; may be repeated. Instead of "
    "those of the job file.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@console.reported
def run(
    job: str,
    quiet: bool,
    fresh: bool,
    log_json: Path | None,
    reports: tuple[Path, ...],
    **given: Any,
) -> None:
    """Start or resume a job.

    INPUT is a CSV, TSV or JSONL file, gzipped or not, or - for standard input. JOB.toml is a
    job file; flags win over it, and its relative paths start at its own folder.

    A file that llmbatch has not written is neither replaced nor appended to.
    """
    from llmbatch.cli.commands import run as commands_run

    commands_run.run(
        *split(job, given), quiet=quiet, fresh=fresh, log_json=log_json, reports=reports
    )


@cli.command()
@job_options
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
@click.option(
    "--sample",
    type=click.IntRange(1, 2**31 - 1),
    metavar="N",
    help="Run N rows first, spread over the job, and keep their answers.",
)
@click.option("--device", metavar="NAME", help="Plan for a device that is not here: H100, L4, ...")
@console.reported
def plan(job: str, style: str, sample: int | None, device: str | None, **given: Any) -> None:
    """Show what a run would do, take and cost.

    Without --sample nothing is computed and nothing written. With it some rows are run for real,
    as the first part of the job, and the plan goes by them; the output appears only when all rows
    are done, so `llmbatch run` finishes the job.
    """
    from llmbatch.cli.commands import plan as commands_plan

    commands_plan.plan(*split(job, given), style=style, sample=sample, device=device)


@cli.command()
@job_options
@click.option("--budget", default="10m", show_default=True, help="Take no longer: 10m, 1h30m.")
@click.option(
    "--rows",
    type=click.IntRange(3, 2**31 - 1),
    default=256,
    show_default=True,
    help="Different requests to try each setting with.",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=V1,V2",
    help="Values to try for an engine option, instead of the usual ones; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Measure, but leave the job file as it is.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
@console.reported
def tune(
    job: str,
    budget: str,
    rows: int,
    sets: tuple[str, ...],
    dry_run: bool,
    style: str,
    **given: Any,
) -> None:
    """Find faster engine settings with a sample of the job's own rows.

    One engine after the other answers the same sample: first with the present settings, then
    with one option changed after the other. The best goes into the [engine] table of JOB.toml;
    where the job is given by flags, all or some, it is printed as flags. Only options that
    cannot change an answer are tried. A setting that fails is a line of the table, and the next
    one is tried. An engine warms up with a part of the sample and is measured on two halves of
    the rest; a gain counts if both have it. Exits 5 if no setting could be measured.

    The answers are thrown away: nothing is stored, and the job's store is not touched. It may be
    run while a run holds the job, but then the two share the device.
    """
    from llmbatch.cli.commands import tune as commands_tune

    commands_tune.tune(
        *split(job, given), sets=sets, rows=rows, budget=budget, dry_run=dry_run, style=style
    )


@cli.command()
@kept_job
@click.option("--kind", "kinds", multiple=True, help="Only failures of this kind; repeatable.")
@console.reported
def retry(job: Path, kinds: tuple[str, ...]) -> None:
    """Reopen dead letters, so that the next run tries them again. Old attempts are kept.

    JOB is its job file, its output or its state folder.
    """
    from llmbatch.cli.commands import retry as commands_retry

    console.say(commands_retry.retry(job, list(kinds)))


@cli.command()
@kept_job
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
@click.option("--watch", is_flag=True, help="Go on showing it until the run has ended.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 86_400),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often, with --watch.",
)
@console.reported
def status(job: Path, style: str, watch: bool, interval: float) -> None:
    """Show a job that is running, or how its last run ended.

    JOB is its job file, its output or its state folder. With --watch a terminal shows it in
    place; elsewhere there is a line whenever something has changed, of JSON one for each look.
    Ctrl-C ends the watch and leaves the run alone.
    """
    from llmbatch.cli.commands import status as commands_status

    if watch:
        commands_status.watch(job, style, interval)
    else:
        commands_status.status(job, style)


@cli.command()
@click.argument("job", type=click.Path(path_type=Path), metavar="[JOB]", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the report there: .txt, .json, .md or .html. - is standard output, the default.",
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "markdown", "html"]),
    help="[default: by the suffix of FILE, else text]",
)
@click.option(
    "--all",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Instead of a job: all jobs below a folder, a line for each, and what they cost.",
)
@click.option(
    "--since",
    metavar="DATE",
    help="With --all: count only runs that began at this time (UTC) or later: 2026-11-01.",
)
@click.option("--schema", is_flag=True, help="Show the JSON schema of --format json instead.")
@cost_options
@console.reported
def report(
    job: Path | None,
    output: Path | None,
    style: str | None,
    folder: Path | None,
    since: str | None,
    schema: bool,
    **given: Any,
) -> None:
    """Show rows, tokens, time and cost of a job and of its runs.

    JOB is its job file, its output or its state folder. Prices and columns that are given here
    win over those of the job, for all of its runs; nothing of it is kept.

    A job among --all that is running or whose store cannot be read is told as such, and of a
    running one what its former runs took. No job at all is no error. Of files, only reports are
    replaced.
    """
    from llmbatch.cli.commands import report as commands_report

    wish = commands_report.Wish(output, style, since, costs(given))
    commands_report.report(job, folder, wish, schema=schema)


@cli.command()
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
    from llmbatch.cli import find_job

    console.say(find_job.export(job, output, meta=meta))


@cli.command()
@kept_job
@click.option(
    "--deep",
    is_flag=True,
    help="Also compare store and journal, record by record, and the store's tables and views with "
    "those that llmbatch makes.",
)
@console.reported
def check(job: Path, deep: bool) -> None:
    """Check that everything holds that must hold in a job's store.

    JOB is its job file, its output or its state folder. Every block of the store and all of its
    journal are read. Exits 1 if something does not hold. A run begins with the same check: what
    it would refuse is told here in the same words, with the same exit code.
    """
    from llmbatch.cli import find_job

    lines, sound = find_job.check(job, deep=deep)
    console.show(lines)
    if not sound:
        console.leave(1)


@cli.command()
@kept_job
@console.reported
def repair(job: Path) -> None:
    """Make a job's store whole again after a power cut, from its journal.

    JOB is its job file, its output or its state folder. Damaged files are kept under other
    names. A sound store is left as it is.
    """
    from llmbatch.cli.commands import repair as commands_repair

    for line in commands_repair.repair(job):
        console.say(line)


def entry() -> None:
    """The console script."""
    console.reported(check_text)(sys.argv[1:])
    cli(prog_name="llmbatch")
