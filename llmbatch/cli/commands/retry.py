"""`llmbatch retry`: dead letters are reopened."""

from collections.abc import Sequence
from pathlib import Path

import click

from llmbatch.cli import console
from llmbatch.cli.options import kept_job
from llmbatch.core import units
from llmbatch.core.errors import UsageError, nearest


@click.command()
@kept_job
@click.option("--kind", "kinds", multiple=True, help="Only failures of this kind; repeatable.")
@click.option(
    "--max-tokens",
    type=click.IntRange(1, 2**31 - 1),
    metavar="N",
    help="Let answers that were cut (truncated, unfinished_thinking) have up to N tokens. Only "
    "these rows are computed again: the run's own --max-tokens stays as it is.",
)
@console.reported
def retry(job: Path, kinds: tuple[str, ...], max_tokens: int | None) -> None:
    """Reopen dead letters, so that the next run tries them again. Old attempts are kept.

    JOB is its job file, its output or its state folder.
    """
    rows = reopen(job, list(kinds), max_tokens)
    limit = "" if max_tokens is None else f" with up to {max_tokens:,} tokens"
    more = f"; run the job again to try them{limit}" if rows else ""
    console.say(f"{units.count(rows, 'row')} reopened{more}")


# Of these a longer answer may be a whole one.
_CUT = ("truncated", "unfinished_thinking")


def reopen(job: Path, kinds: list[str], max_tokens: int | None = None) -> int:
    """Reopen the job's dead letters, of the given kinds or all, with answers of up to `max_tokens`;
    returns the number of rows."""
    from llmbatch.cli.find_job import find, require_plan
    from llmbatch.store import results, runs
    from llmbatch.store.lock import JobLock
    from llmbatch.store.opening import open_store

    if max_tokens is not None:
        kinds = _cut_kinds(kinds)
    paths = find(job)
    with JobLock(paths.lock), open_store(paths.store) as db:
        require_plan(db, paths)
        _check_kinds(kinds, {failure.kind for failure in results.failures(db)})
        dead = runs.dead(db, kinds)
        if max_tokens is not None:
            _check_limit(max_tokens, dead["output_tokens"])
        pending = results.counts(db).pending
        runs.reopen(db, dead, max_tokens)
        return results.counts(db).pending - pending


def _cut_kinds(kinds: list[str]) -> list[str]:
    """The kinds of failure that more tokens help. Raises UsageError for another one."""
    for kind in kinds:
        if kind not in _CUT:
            raise UsageError(
                f"--max-tokens helps no failures of kind {kind!r}: leave it out, or give --kind "
                f"{' or --kind '.join(_CUT)}"
            )
    return kinds or list(_CUT)


def _check_limit(max_tokens: int, had: Sequence[int]) -> None:
    """Raise UsageError if the answers were cut after as many tokens already."""
    if had and max_tokens <= max(had):
        raise UsageError(
            f"--max-tokens {max_tokens:,}: these answers had up to {max(had):,} tokens already (a "
            "run tries a cut one again with twice as many); give more"
        )


def _check_kinds(kinds: Sequence[str], occurring: set[str]) -> None:
    """Raise UsageError for a kind that is neither ours nor occurs in the job: an engine outside the
    package may have kinds of its own."""
    from llmbatch.core.outcomes import FAILURE_KINDS

    valid = sorted(occurring | FAILURE_KINDS.keys())
    for kind in kinds:
        if kind not in valid:
            raise UsageError(
                f"--kind {kind!r}: no such kind of failure{nearest(kind, valid)}; "
                f"this job has: {', '.join(sorted(occurring)) or 'none'}"
            )
