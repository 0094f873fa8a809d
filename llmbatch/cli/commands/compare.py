"""`llmbatch compare`: the answers of two jobs, runs or output files against each other."""

from pathlib import Path
from typing import Any

import click

from llmbatch.cli import console
from llmbatch.cli.options import trust_state
from llmbatch.cli.report_output import report_output
from llmbatch.core.errors import ExitCode, UsageError


@click.command()
@click.argument("a", metavar="[A]", required=False)
@click.argument("b", metavar="[B]", required=False)
@click.option(
    "--on",
    multiple=True,
    metavar="COLUMN",
    help="Match rows by this column. (repeatable) [default: the jobs' id column, else all input "
    "columns that both have]",
)
@click.option(
    "--by-place",
    is_flag=True,
    help="Match the first row with the first, the second with the second.",
)
@click.option(
    "--gold",
    metavar="FILE|COLUMN",
    help="Right answers, as for `llmbatch eval`: which side has more of them, by McNemar's test.",
)
@click.option("--gold-column", metavar="COLUMN", help="Column of the file with the right answers.")
@click.option(
    "--max-churn",
    "most",
    multiple=True,
    metavar="[FIELD=]P%",
    help="Exit 3 if more of the answers, or of a field, changed: 5%, category=2%. (repeatable)",
)
@click.option(
    "--changed",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the rows that changed there, with both answers: .csv, .jsonl, .xlsx...",
)
@click.option(
    "--columns",
    "shown",
    metavar="a,b",
    help="Input columns in the file of --changed. [default: all]",
)
@report_output
@click.option(
    "--response-column",
    "response",
    multiple=True,
    metavar="COLUMN",
    help="Column of the answer in an output file whose job is gone; several: its fields. "
    "(repeatable) [default: response]",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE, whatever has written it.")
@click.option("--schema", is_flag=True, help="Show the JSON schema of --format json instead.")
@trust_state
@console.reported
def compare(a: str | None, b: str | None, schema: bool, shown: str | None, **given: Any) -> None:
    """Show what changed between two jobs, runs of a job, or output files.

    A (the former) and B are each a job (its output, job file or state folder), a job as its run 3
    left it (out.jsonl@3), or an output file whose job is gone. Rows are matched by an id or by
    equal input, by their places only with --by-place; answers are compared where the input is the
    same, as far as the prompts use it.

    Each share has its 95 % interval (Wilson). Labels: population stability index (0.1 a shift,
    0.25 a large one) and the test of Stuart and Maxwell over matched rows. Numbers: means, medians,
    Kolmogorov-Smirnov, rank correlation. Changed texts: how alike they are (chrF). Vectors: cosine.
    Jobs: tokens, time, cost, failures, flags.
    """
    from llmbatch.cli import compare_request
    from llmbatch.cli.compare_request import CompareRequest

    if schema:
        compare_request.deliver_schema(given["output"], overwrite=given["overwrite"])
        return
    if a is None or b is None:
        raise UsageError("give two sides, A and B: jobs, runs of a job (JOB@3), or output files")
    columns = tuple(name.strip() for name in (shown or "").split(",") if name.strip())
    if not compare_request.deliver(CompareRequest(a, b, shown=columns, **given)):
        console.leave(ExitCode.INCOMPLETE)
