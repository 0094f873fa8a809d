"""`llmbatch import`: answers that were computed elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmbatch.cli import console
from llmbatch.cli.options import kept_job
from llmbatch.core import units
from llmbatch.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from llmbatch.job.cost import TokenPrice
    from llmbatch.pipeline.run.import_answers import Imported


@click.command("import")
@kept_job
@click.argument("answers", type=click.Path(path_type=Path), metavar="ANSWERS.jsonl")
@click.option(
    "--any-model", is_flag=True, help="Take answers of a model with another name than the job's."
)
@click.option(
    "--price-per-million",
    metavar="IN/OUT[/CACHED]",
    help="What a million tokens cost there. [default: nothing, in this job's figures]",
)
@console.reported
def import_answers(
    job: Path, answers: Path, any_model: bool, price_per_million: str | None
) -> None:
    """Take the answers of a batch file into a job, as if a run had computed them.

    JOB is its job file, its output or its state folder; its requests were written to a file by
    `llmbatch run ... --output-format openai-batch`, or it answers a batch file itself.
    ANSWERS.jsonl is what OpenAI, `vllm run-batch` or llmbatch has answered, with failed lines or
    without. Each answer is checked as one of a run; what is settled already stays as it is, so the
    same file may be taken twice. Run the job afterwards: it computes what is left, and writes the
    output.
    """
    done = take(job, answers, any_model=any_model, price=price_per_million)
    for example in done.examples:
        console.say(f"warning: {answers}: {example}")
    console.say(_summary(done))
    console.leave(ExitCode.OK if done.is_clean else ExitCode.INCOMPLETE)


def take(
    job: Path, answers: Path, *, any_model: bool = False, price: str | None = None
) -> "Imported":
    """Take the answers into the job's store; see `pipeline/run/import_answers`."""
    from llmbatch.cli.commands.export import last_spec
    from llmbatch.cli.find_job import find, require_plan
    from llmbatch.pipeline.run import import_answers
    from llmbatch.store.lock import JobLock
    from llmbatch.store.opening import open_store

    paths = find(job)
    with JobLock(paths.lock), open_store(paths.store) as db:
        require_plan(db, paths)
        spec = last_spec(db, paths)
        done = import_answers.take(db, spec, answers, any_model=any_model, price=_price(price))
        db.compact()
        return done


def _price(text: str | None) -> "TokenPrice | None":
    from pydantic import ValidationError

    from llmbatch.job.cost import CostSpec

    if text is None:
        return None
    try:
        return CostSpec.model_validate({"price_per_million": text}).price_per_million
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"--price-per-million: {said} (got {text!r})") from error


def _summary(done: "Imported") -> str:
    parts = [f"{units.count(done.answered, 'answer')} taken in"]
    counted = (
        (done.failed, "failed"),
        (done.settled, "settled before"),
        (done.unknown, "unknown to this job"),
        (done.malformed, "malformed"),
        (done.foreign, "by another model (--any-model takes them)"),
    )
    parts += [f"{number:,} {what}" for number, what in counted if number]
    more = "; run the job again: it computes the rest and writes the output" * bool(done.answered)
    return ", ".join(parts) + more
