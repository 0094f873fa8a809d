"""`llmbatch recheck`: stored answers are held to changed rules, without an engine."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmbatch.cli import console
from llmbatch.cli.options import kept_job
from llmbatch.core.errors import UsageError

if TYPE_CHECKING:
    from llmbatch.job.spec import JobSpec
    from llmbatch.pipeline.run.recheck import Rechecked
    from llmbatch.store.database import Database


@click.command()
@kept_job
@click.option(
    "--check",
    "rules",
    multiple=True,
    metavar="NAME: SQL",
    help="A rule beside those of the job, or in place of one of its name; repeatable.",
)
@console.reported
def recheck(job: Path, rules: tuple[str, ...]) -> None:
    """Hold stored answers to the rules of a job, without the engine.

    What breaks a rule by now is pending again, failed or flagged, as its on_fail says; what had
    failed by a rule alone, and breaks none now, is answered again. A run does so itself when the
    rules have changed: this shows what they come to before anything is computed.

    JOB is its job file, whose rules are taken as they are by now, its output or its state folder.
    """
    done, flagged = apply(job, list(rules))
    for line in (*_flag_lines(flagged), *_lines(done)):
        console.say(line)


def _lines(done: "Rechecked") -> list[str]:
    more = "; run the job again to compute and write them" if done else ""
    return [f"{done.text}{more}"]


def _flag_lines(flagged: dict[str, int]) -> list[str]:
    from llmbatch.core import units

    return [f"flagged by {name}: {units.count(rows, 'row')}" for name, rows in flagged.items()]


def apply(job: Path, rules: list[str]) -> "tuple[Rechecked, dict[str, int]]":
    """Hold the job's stored answers to its rules and these; the changes, and the flagged rows by
    rule. Raises UsageError for rules that cannot be used."""
    from llmbatch.cli.find_job import find, require_plan
    from llmbatch.pipeline.prompts import ready_job
    from llmbatch.pipeline.run import check_flags, recheck
    from llmbatch.pipeline.run.bounded_judge import BoundedJudge
    from llmbatch.store import flags
    from llmbatch.store.lock import JobLock
    from llmbatch.store.opening import open_store

    paths = find(job)
    with JobLock(paths.lock), open_store(paths.store) as db:
        require_plan(db, paths)
        spec = _spec(db, job, rules)
        ready = ready_job.make(spec)
        done = recheck.recheck(db, spec, ready.task, BoundedJudge)
        check_flags.mark(db, ready)
        found = flags.counts(db)
    return done, {one.name: one.rows for one in found if one.origin == check_flags.ORIGIN}


def _spec(db: "Database", job: Path, rules: list[str]) -> "JobSpec":
    """The spec of the job's last run, with the rules of today."""
    from pydantic import ValidationError

    from llmbatch.job import checks, file, stored
    from llmbatch.job.spec import JobSpec
    from llmbatch.store import run_records

    runs = run_records.summaries(db)
    if not runs:
        raise UsageError(f"{job}: no run has begun: there is nothing to judge")
    spec, _ = stored.read_spec(runs[-1].spec)
    table = spec.model_dump(mode="json", by_alias=True)
    if job.suffix == ".toml":
        kept = file.load(job, {}, trusted=True).check
        table["check"] = [one.model_dump() for one in kept]
    try:
        table["check"] = checks.tables(checks.merged(table["check"], rules))
        return JobSpec.model_validate(table)
    except (ValidationError, ValueError) as error:
        raise UsageError(f"--check: {error}") from error
