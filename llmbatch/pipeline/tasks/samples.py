"""Several samples of a row: when they can be asked for, and the seeds of their requests."""

import hashlib
from dataclasses import replace

from llmbatch.core.errors import UsageError
from llmbatch.core.messages import messages_of
from llmbatch.core.outcomes import Tries
from llmbatch.core.records import Request
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks.adapters import parted
from llmbatch.pipeline.tasks.base import DividesRows, Task
from llmbatch.store.plans import PlannedRequest

_SEED_BYTES = 8
_INT63 = 2**63 - 1


def check(spec: JobSpec, task: Task) -> None:
    """Raise UsageError if several samples are asked for that cannot differ, or a vote of one."""
    sampling, count = spec.sampling, spec.sampling.samples
    if isinstance(task, DividesRows) and (sampling.vote or count > 1):
        name = "samples" if count > 1 else "vote"
        raise UsageError(f"{name}: each row says how many answers it wants (n): leave it out")
    if sampling.vote and count == 1:
        raise UsageError("vote needs several samples of a row: give --samples 5, too")
    if count == 1:
        return
    if spec.task != "generate":
        raise UsageError(
            f"samples: task {spec.task!r} gives one answer to a row, however often it is asked: "
            "leave samples out"
        )
    if sampling.temperature == 0 or sampling.top_k == 1:
        why = "temperature 0" if sampling.temperature == 0 else "top_k 1"
        raise UsageError(
            f"samples: with {why} all {count} samples of a row would be the same answer: give "
            f"{'--temperature 0.7' if sampling.temperature == 0 else 'a larger top_k'}, or leave "
            "samples out"
        )


def request_of(task: Task, planned: PlannedRequest, tries: Tries) -> Request:
    """The request of a row, or of one of its samples, after the failed `tries` that it has had."""
    adapter, body = parted(planned.body)
    made = task.request(planned.key, messages_of(planned.messages), tries, body)
    if adapter is not None:
        made = replace(made, adapter=adapter)
    is_first = planned.sample == 0 or isinstance(task, DividesRows)  # which gives seeds itself
    if is_first or made.sampling.seed is None:
        return made
    seed = _seed(made.sampling.seed, planned)
    return replace(made, sampling=replace(made.sampling, seed=seed))


def _seed(seed: int, planned: PlannedRequest) -> int:
    """The seed of a later sample of a row: by what is asked and by its number, so that neither the
    samples of a row nor those of two rows that are asked differently are drawn alike. (Seeds that
    follow each other would give sample 1 of one row the draws of sample 0 of the next.)"""
    text = f"{seed}:{planned.sample}:{planned.messages}{planned.body or ''}"
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_SEED_BYTES)
    return int.from_bytes(digest.digest()) & _INT63
