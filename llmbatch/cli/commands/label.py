"""`llmbatch label`: a sample of a job's answers for people to label."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmbatch.cli import console
from llmbatch.cli.options import kept_job
from llmbatch.core import units
from llmbatch.core.errors import UsageError

if TYPE_CHECKING:
    from llmbatch.quality.answer_form import AnswerForm
    from llmbatch.quality.label_sheet import LabelSheet
    from llmbatch.quality.label_strata import LabelSample
    from llmbatch.store.database import Database
    from llmbatch.store.results import Counts

_FACTORS = ("confidence", "flags", "length")


@click.command()
@kept_job
@click.option(
    "--sample",
    "size",
    type=click.IntRange(1, 1_000_000),
    default=200,
    show_default=True,
    metavar="N",
    help="Draw so many rows, or all where there are fewer.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The file: .csv, .tsv, .jsonl, .parquet or .xlsx.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["csv", "tsv", "jsonl", "parquet", "xlsx"]),
    help="[default: by the suffix of FILE]",
)
@click.option(
    "--strata",
    metavar="a,b",
    default=",".join(_FACTORS),
    show_default=True,
    help="What parts the rows, so that doubtful ones are drawn more often; none: all alike.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    metavar="N",
    help="Draw other rows; with the same one a larger sample holds a smaller one.",
)
@click.option("--blind", is_flag=True, help="Leave the answers out, which might lead people.")
@click.option("--excel", is_flag=True, help="Write CSV as Excel reads it.")
@click.option("--overwrite", is_flag=True, help="Replace FILE, with the labels that it may have.")
@console.reported
def label(
    job: Path,
    size: int,
    output: Path,
    output_format: str | None,
    strata: str,
    seed: int,
    blind: bool,
    excel: bool,
    overwrite: bool,
) -> None:
    """Draw a sample of a job's answers for people to label.

    JOB is its job file, its output or its state folder. Doubtful answers (a low confidence, a flag,
    an odd length) are drawn more often than others, and each row has the weight that takes this
    back. Fill in the column gold (of JSON answers: gold_FIELD), then: llmbatch eval JOB --gold FILE
    """
    from llmbatch.cli import reading
    from llmbatch.cli.commands.export import last_spec
    from llmbatch.cli.find_job import find, require_plan
    from llmbatch.quality import answer_form, label_sheet
    from llmbatch.store import results

    factors = _factors(strata)
    sheet = label_sheet.make(output, output_format, blind=blind, excel=excel)
    _check_target(sheet.path, overwrite=overwrite)
    paths = find(job)
    with reading.opened(paths) as db:
        spec = last_spec(db, paths)
        require_plan(db, paths)
        form = answer_form.form_of(spec)
        if form.kind == "vector":
            raise UsageError(
                f"{job}: its answers are vectors: people cannot write a right one down"
            )
        sample = _draw(db, form, size, seed, factors)
        if not sample.rows:
            raise UsageError(f"{paths.state}: no row is answered yet; run the job first")
        columns = _write(db, form, sheet, sample)
        counts = results.counts(db)
    console.show(_told(sheet, sample, counts, columns, form))
    console.show([f"then: fill in {_to_fill_in(form)}, and llmbatch eval {job} --gold {output}"])


def _factors(text: str) -> list[str]:
    """The factors of `--strata`. Raises UsageError for others."""
    from llmbatch.core.errors import nearest

    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["none"]:
        return []
    for name in names:
        if name not in _FACTORS:
            known = f"use some of {', '.join(_FACTORS)}, or none"
            raise UsageError(f"--strata: no {name!r}{nearest(name, _FACTORS)}; {known}")
    return names


def _check_target(path: Path, *, overwrite: bool) -> None:
    """Raise UsageError for a file that cannot be written, or may hold labels."""
    from llmbatch.job import targets
    from llmbatch.job.targets import Target

    targets.check([Target("label file", path, lambda _: True)], {}, {})
    if path.exists() and not overwrite:
        raise UsageError(
            f"{path}: exists, and people may have labelled it; give another name (or --overwrite)"
        )


def _draw(
    db: "Database", form: "AnswerForm", size: int, seed: int, factors: Sequence[str]
) -> "LabelSample":
    from llmbatch.quality import answers, label_strata
    from llmbatch.store.flags import Flags

    flags, by_input = Flags(db), form.kind in ("label", "score")
    traits = [
        label_strata.traits_of(row, flagged=bool(flags.of(row.row)), by_input=by_input)
        for row in answers.of_store(db, form)
    ]
    return label_strata.draw(traits, size, seed, factors)


def _write(
    db: "Database", form: "AnswerForm", sheet: "LabelSheet", sample: "LabelSample"
) -> list[str]:
    """Write the sample; returns the columns of the input that are left out."""
    from llmbatch.quality import answers, label_sheet
    from llmbatch.store import results, snapshots

    snapshot = snapshots.newest(db)
    columns = snapshot.source.columns if snapshot else []
    drawn = (answers.of_row(found, form) for found in results.of_rows(db, [*sample.rows]))
    label_sheet.write(sheet, columns, form, drawn, sample)
    return label_sheet.left_out(columns, form, sheet)


def _told(
    sheet: "LabelSheet",
    sample: "LabelSample",
    counts: "Counts",
    left_out: Sequence[str],
    form: "AnswerForm",
) -> Iterator[str]:
    """Lines on what was drawn, and on what was not."""
    drawn = f"{len(sample.rows):,} of {units.count(counts.answered, 'answered row')}"
    yield f"{drawn} written to {sheet.path}"
    width = max(len(stratum.name) for stratum in sample.strata)
    for stratum in sample.strata:
        of = f"{stratum.drawn:>7,} of {stratum.rows:>9,}"
        yield f"  {stratum.name:<{width}}  {of}  (each stands for {stratum.weight:,.4g})"
    if counts.failed:
        yield f"{units.count(counts.failed, 'failed row')} left out: figures are of answered rows"
    if counts.pending:
        pending = units.count(counts.pending, "pending row")
        yield f"{pending} left out: draw again once they are done"
    if left_out:
        names = ", ".join(map(repr, left_out))
        yield f"warning: the input's column {names} is left out: the file's own has that name"


def _to_fill_in(form: "AnswerForm") -> str:
    from llmbatch.quality import label_sheet

    return ", ".join(label_sheet.gold_columns(form))
