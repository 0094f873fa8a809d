"""`llmbatch eval`: how many answers are right, by rows whose right answer is known."""

from pathlib import Path
from typing import Any

import click

from llmbatch.cli import console
from llmbatch.cli.options import trust_state
from llmbatch.cli.report_output import report_output
from llmbatch.core.errors import ExitCode, UsageError


@click.command("eval")
@click.argument("job", type=click.Path(path_type=Path), metavar="[JOB]", required=False)
@click.option(
    "--gold",
    metavar="FILE|COLUMN",
    help="Right answers: a file of rows, or a column of the input; of JSON answers also gold_*, a "
    "column for each field. [default: that of the job's [eval]]",
)
@click.option(
    "--gold-column",
    metavar="COLUMN",
    help="Column of the file with the right answers. [default: gold, or those of the fields]",
)
@click.option(
    "--on",
    metavar="COLUMN",
    help="Column by which the file's rows are found in the input. [default: the id column, else "
    "all columns that both have]",
)
@click.option(
    "--as",
    "kind",
    type=click.Choice(["label", "json", "text", "pairs", "score", "ranking"]),
    help="How answers are compared. [default: as answers and gold are]",
)
@click.option("--field", metavar="NAME", help="Compare one field of JSON answers, as a label.")
@click.option(
    "--by", multiple=True, metavar="COLUMN", help="Also for each value of a column. (repeatable)"
)
@click.option(
    "--group-by",
    metavar="COLUMN",
    help="Rows that are ranked together, for nDCG. [default: that of the job]",
)
@click.option(
    "--min",
    "least",
    multiple=True,
    metavar="FIGURE=VALUE",
    help="Exit 3 unless the lower bound of a figure reaches this: accuracy=0.95, 'f1[refund]=0.8'. "
    "(repeatable) [default: those of the job's [eval]]",
)
@click.option(
    "--errors",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the rows that are not right there, with answer and gold: .csv, .jsonl, .xlsx...",
)
@report_output
@click.option(
    "--response-column",
    "response",
    metavar="COLUMN",
    help="Column of the answer in an output file whose job is gone. [default: response]",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE, whatever has written it.")
@click.option(
    "--cascade",
    is_flag=True,
    help="Choose the threshold of a cascade by the gold rows, which --all-stages has asked all "
    "models for; needs --target.",
)
@click.option(
    "--target",
    metavar="accuracy=SHARE",
    help="With --cascade: the accuracy to reach. Exit 3 if its lower bound does not.",
)
@click.option("--schema", is_flag=True, help="Show the JSON schema of --format json instead.")
@trust_state
@console.reported
def evaluate(
    job: Path | None,
    schema: bool,
    least: tuple[str, ...],
    cascade: bool,
    target: str | None,
    **given: Any,
) -> None:
    """Show how good the answers of a job are, by rows whose right answer is known.

    JOB is its output, its job file or its state folder; of an output whose job is gone the file
    alone is read. Every figure has an interval of 95 %: Wilson's for shares, a bootstrap for
    others. Rows that have failed count as wrong; rows that are pending do not count. A gold file
    with sample_weight and sample_stratum, as `llmbatch label` writes them, is weighted back.

    Labels: accuracy, and macro_, weighted_ precision, recall and f1, and f1[LABEL] and the like.
    JSON: record_exact, micro_ and macro_ exact and normalised, and exact[FIELD]. Texts: exact,
    normalised, token_f1, chrf. Vectors: recall@1, @5, @10 of the rows that belong together.
    Scores: roc_auc, average_precision, ndcg.
    """
    from llmbatch.cli import eval_request
    from llmbatch.cli.eval_request import EvalRequest
    from llmbatch.job.gold_set import thresholds

    if schema:
        eval_request.deliver_schema(given["output"], overwrite=given["overwrite"])
        return
    if job is None:
        raise UsageError("give a JOB: its output, its job file or its state folder")
    if cascade != (target is not None):
        raise UsageError("--cascade and --target accuracy=SHARE are given together")
    if target is not None:
        _choose_threshold(job, target, given)
        return
    try:
        wanted = thresholds(least)
    except ValueError as error:
        raise UsageError(f"--min: {error}") from error
    if not eval_request.deliver(EvalRequest(job, least=wanted, **given)):
        console.leave(ExitCode.INCOMPLETE)


def _choose_threshold(job: Path, target: str, given: dict[str, Any]) -> None:
    """Choose the threshold of a cascade. Raises UsageError for forms that this has not."""
    from llmbatch.cli import cascade_request
    from llmbatch.job import gold_set
    from llmbatch.quality.gold_rows import GoldSource

    if given["style"] not in (None, "text", "json") or given["output"] is not None:
        raise UsageError("--cascade: shows text or --format json, on standard output")
    gold, on = given["gold"], given["on"]
    source = None
    if gold is not None:
        path = Path(gold) if gold_set.names_file(gold) else None
        source = GoldSource(gold, path, given["gold_column"], on)
    is_json = given["style"] == "json"
    if not cascade_request.deliver(job, source, target, is_json=is_json):
        console.leave(ExitCode.INCOMPLETE)
