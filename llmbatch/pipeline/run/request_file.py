"""The requests of a job that are still to be computed, as a batch file to be answered elsewhere."""

from collections.abc import Iterator

from llmbatch.batch_files import requests
from llmbatch.batch_files.lines import BodyError
from llmbatch.core import files
from llmbatch.core.errors import UnwrittenError, UsageError
from llmbatch.core.outcomes import NO_TRIES
from llmbatch.job.template import TemplateSpec
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.tasks import samples
from llmbatch.store import plans
from llmbatch.store.database import Database

_WINDOW = 1_000


def is_wanted(job: ReadyJob) -> bool:
    """True if the job's requests are to be written, and not computed."""
    return job.output.is_batch and not job.spec.is_batch


def check(job: ReadyJob) -> None:
    """Raise UsageError for a job whose requests are more than a batch file can say."""
    spec = job.spec
    if spec.template != TemplateSpec():
        raise UsageError(
            "--output-format openai-batch: [template] is not said in a batch file: leave out "
            "--chat-template, --template-arg, --thinking and --system-as-user"
        )
    if job.task.ask is not None and job.task.ask.kind not in ("embed", "score"):
        raise UsageError(
            f"--output-format openai-batch: no line of a batch file asks for --task {spec.task}"
        )
    if spec.adapter or spec.adapters:
        raise UsageError("--output-format openai-batch: no line of a batch file names an adapter")
    if job.output.is_stdout:
        raise UsageError("--output-format openai-batch: name a file: -o NAME.jsonl")


def write(db: Database, job: ReadyJob) -> int:
    """Write the pending requests, in planned order; the file appears when it is whole. Returns
    their number."""
    path, written = job.output.path, 0
    try:
        with files.atomic(files.behind_link(path)) as stream:
            for line in _lines(db, job):
                stream.write(line.encode() + b"\n")
                written += 1
    except OSError as error:
        raise UnwrittenError(f"{path}: cannot be written: {error.strerror}") from error
    return written


def _lines(db: Database, job: ReadyJob) -> Iterator[str]:
    pending = plans.pending(db)
    for start in range(0, len(pending.positions), _WINDOW):
        for planned in plans.requests_at(db, pending.positions[start : start + _WINDOW]):
            tries = pending.tries.get(planned.position, NO_TRIES)
            request = samples.request_of(job.task, planned, tries)
            try:
                yield requests.line(request, job.spec.model)
            except BodyError as error:
                raise UsageError(f"--output-format openai-batch: {error}") from error


def notices(job: ReadyJob) -> list[str]:
    """Lines for the user about where the file can be answered."""
    form = job.task.constraint
    if form is None or form.kind not in requests.UNHELD:
        return []
    return [
        f"a {form.kind} is asked for by structured_outputs, which servers of vLLM hold; others may "
        "refuse it or pass it over, and its answers are checked when they are imported"
    ]
