"""`llmbatch export`: the answers so far, or other rows, in another file."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmbatch.cli import console
from llmbatch.cli.options import kept_job
from llmbatch.core import units
from llmbatch.core.errors import UnwrittenError, UsageError
from llmbatch.core.version import VERSION

if TYPE_CHECKING:
    from llmbatch.job.folder import JobPaths
    from llmbatch.job.spec import JobSpec
    from llmbatch.pipeline.rows.export import Written
    from llmbatch.pipeline.rows.output_file import OutputFile
    from llmbatch.store.database import Database
    from llmbatch.store.results import Counts


TRAINING = ("sft", "dpo")
"""Formats of lines to train another model with."""


@click.command()
@kept_job
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The file: .jsonl, .csv, .tsv, .parquet, .xlsx, .duckdb or .npy; - is standard output.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["jsonl", "csv", "tsv", "parquet", "xlsx", "duckdb", "npy", *TRAINING]),
    help="[default: by the suffix of FILE; jsonl for standard output] sft and dpo: lines of JSON "
    "to train another model with: chats with accepted answers, or accepted beside refused ones.",
)
@click.option(
    "--columns", metavar="a,b,response", help="Columns to write, in this order. [default: all]"
)
@click.option(
    "--where",
    metavar="SQL",
    help="Write only rows that keep this condition over the output's columns, as in DuckDB: "
    "\"response LIKE 'yes%' AND price > 10\". Columns of a CSV input are text: CAST(price AS INT).",
)
@click.option(
    "--meta/--no-meta",
    default=False,
    help="Add finish reason, attempts, tokens, request, run; where the input has a column of such "
    "a name, as response_NAME.",
)
@click.option(
    "--keep",
    metavar="failed,skipped,rejected",
    help="Rows to write beside the answered ones, without an answer. With failed or rejected ones "
    "a column error says why.",
)
@click.option(
    "--failed",
    "only_failed",
    is_flag=True,
    help="Write the failed and rejected rows instead, with why in a column error.",
)
@click.option(
    "--skipped",
    "only_skipped",
    is_flag=True,
    help="Write the skipped rows instead, with what each lacks in a column skipped.",
)
@click.option(
    "--flagged",
    is_flag=True,
    help="Write only rows with a flag: a warning sign, or a check that only flags; a column flags "
    "names them. One flag alone: --where \"'echo' IN flags\".",
)
@click.option("--table", help="Table of a .duckdb file; only this one is replaced. [answers]")
@click.option(
    "--excel",
    is_flag=True,
    help="Write CSV as Excel reads it: with a byte order mark, and an apostrophe before what it "
    "would take for a formula.",
)
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    metavar="0-1",
    help="With sft and dpo: leave out answers with less confidence (--task classify) or agreement "
    "(--vote).",
)
@click.option(
    "--with-flagged",
    is_flag=True,
    help="With sft and dpo: also write answers of rows that have a flag.",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE, whatever has written it.")
@console.reported
def export(
    job: Path,
    output: Path,
    only_failed: bool,
    only_skipped: bool,
    where: str | None,
    flagged: bool,
    min_confidence: float | None,
    with_flagged: bool,
    **changes: Any,
) -> None:
    """Write the answers that a job has so far, or its failed or skipped rows, to another file.

    JOB is its job file, its output or its state folder. A file that holds no such answers is not
    replaced without --overwrite.
    """
    if changes["output_format"] in TRAINING:
        form = changes["output_format"]
        beside = {"where": where, "flagged": flagged}
        _refuse_beside(form, changes | beside, only_failed or only_skipped)
        overwrite = bool(changes["overwrite"])
        console.say(write_pairs(job, output, form, min_confidence, with_flagged, overwrite))
        return
    if min_confidence is not None or with_flagged:
        raise UsageError("--min-confidence and --with-flagged go with --format sft or dpo")
    for flag in ("--failed",) * only_failed + ("--skipped",) * only_skipped:
        if (only_skipped and changes["meta"]) or changes["keep"] or flagged:
            odd = "--flagged" if flagged else "--meta and --keep"
            raise UsageError(f"{flag} writes no answers: leave {odd} out")
    if only_failed and only_skipped:
        raise UsageError("--failed and --skipped: give one of them")
    only = FAILED if only_failed else SKIPPED if only_skipped else None
    console.say(write_answers(job, output, where=where, flagged=flagged, only=only, **changes))


def _refuse_beside(form: str, given: dict[str, Any], is_other: bool) -> None:
    """Raise UsageError for flags that say nothing of lines to train with."""
    names = ("columns", "where", "flagged", "meta", "keep", "table", "excel")
    odd = [f"--{name}" for name in names if given[name]] + ["--failed or --skipped"] * is_other
    if odd:
        raise UsageError(f"--format {form} writes whole chats: leave {', '.join(odd)} out")


# Of these the job's own values say nothing of another file.
_OWN_SETTINGS = ("output_format", "columns", "meta", "keep", "table", "excel", "overwrite")
FAILED, SKIPPED = "failed", "skipped"


def write_answers(
    job: Path,
    output: Path,
    *,
    only: str | None = None,
    where: str | None = None,
    flagged: bool = False,
    **changes: Any,
) -> str:
    """Write what a job has so far to `output`: the answers, `only` the failed or skipped rows, or
    those that keep the condition `where`, or that are `flagged`; returns what was done. `changes`:
    settings of the output, as a job has them (None: by default)."""
    from llmbatch.cli import reading
    from llmbatch.cli.find_job import find, require_plan
    from llmbatch.pipeline.rows import earlier_files
    from llmbatch.pipeline.rows.export import export_answers
    from llmbatch.store import faults, results

    paths = find(job)
    with reading.opened(paths) as db:
        spec = _spec_of_export(db, paths, changes | {"output": str(output)})
        target = replace(_target(spec, paths, only), where=where, flagged=flagged)
        earlier_files.check(db, target, with_errors=False)
        require_plan(db, paths)
        counts = results.counts(db)
        try:
            with faults.understood(paths.store):
                written = export_answers(db, target, counts)
        except UnwrittenError as error:
            if isinstance(error.__cause__, BrokenPipeError):  # `| head` has read enough
                raise error.__cause__ from None
            raise
    for notice in written.notices:
        console.say(f"warning: {output}: {notice}")
    return _describe(written, counts, target)


def write_pairs(
    job: Path,
    output: Path,
    form: str,
    least_confidence: float | None,
    with_flagged: bool,
    overwrite: bool,
) -> str:
    """Write lines to train another model with; returns what was done."""
    from llmbatch.cli import reading
    from llmbatch.cli.find_job import find, require_plan
    from llmbatch.pipeline.rows import training_pairs
    from llmbatch.pipeline.rows.export import opened
    from llmbatch.pipeline.rows.training_pairs import TrainingPairs
    from llmbatch.store import faults

    paths = find(job)
    with reading.opened(paths) as db:
        changes = {"output": str(output), "output_format": "jsonl", "overwrite": overwrite}
        spec = _spec_of_export(db, paths, changes)
        target = _target(spec, paths, None)
        training_pairs.check(target)
        require_plan(db, paths)
        pairs = TrainingPairs(
            spec,
            "dpo" if form == "dpo" else "sft",
            least_confidence=least_confidence,
            with_flagged=with_flagged,
        )
        with faults.understood(paths.store), opened(target) as stream:
            counts = pairs.write(db, stream)
    left_out = (
        (counts.flagged, "with a flag (--with-flagged)"),
        (counts.doubtful, f"below a confidence of {least_confidence}"),
        (counts.single, "without a refused answer"),
    )
    told = ", ".join(f"{number:,} {why}" for number, why in left_out if number)
    to = "standard output" if target.is_stdout else str(target.path)
    beside = f"; left out: {told}" if told else ""
    return f"{units.count(counts.written, 'line')} written to {to}{beside}"


def _describe(done: "Written", counts: "Counts", target: "OutputFile") -> str:
    to = "standard output" if target.is_stdout else str(target.path)
    rows = done.rows
    if target.is_chosen:
        return f"{rows:,} rows of {counts.rows_in:,} written to {to}"
    left_out = 0 if done.ranked is None else done.ranked.others
    by_state = asdict(counts) | {"answered": counts.answered - left_out}
    written = [f"{by_state[state]:,} {state}" for state in target.states]
    others = f" ({left_out:,} answered and not among the best: --top)" if left_out else ""
    return f"{' and '.join(written)} rows of {counts.rows_in:,} written to {to}{others}"


def _target(spec: "JobSpec", paths: "JobPaths", only: str | None) -> "OutputFile":
    """The file to be written. Raises UsageError for one that cannot be."""
    from llmbatch.pipeline.run import preflight

    target = preflight.make_export(spec, paths.state)
    if only == SKIPPED:
        return target.of_skipped_rows()
    return target.of_failed_rows() if only == FAILED else target


def _spec_of_export(db: "Database", paths: "JobPaths", changes: dict[str, Any]) -> "JobSpec":
    """The spec of the job's last run with the settings of this output, and else their defaults."""
    from pydantic import ValidationError

    from llmbatch.job.flags import flag_name
    from llmbatch.job.spec import JobSpec

    kept = last_spec(db, paths).model_dump(by_alias=True)
    given = {name: value for name, value in changes.items() if value is not None}
    others = {name: kept[name] for name in kept if name not in _OWN_SETTINGS}
    try:
        return JobSpec.model_validate(others | given | {"state": str(paths.state)})
    except ValidationError as error:
        raise UsageError(
            "; ".join(
                f"{flag_name(str(item['loc'][0]))}: {item['msg'].removeprefix('Value error, ')}"
                for item in error.errors()
            )
        ) from error


def last_spec(db: "Database", paths: "JobPaths") -> "JobSpec":
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
            f"one of llmbatch {summaries[-1].version}, this is {VERSION}"
        )
    return spec
