"""The tasks by name."""

from collections.abc import Callable

from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import batch_lines, embed, generate, heads, labels, score
from llmbatch.pipeline.tasks.base import Task


def _classify(spec: JobSpec) -> Task:
    """By the job's labels, or by those of the model's own head."""
    return heads.make(spec) if spec.by_head else labels.make(spec)


BUILTIN: dict[str, Callable[[JobSpec], Task]] = {
    generate.NAME: generate.make,
    labels.NAME: _classify,
    embed.NAME: embed.make,
    score.NAME: score.make,
}


def make(spec: JobSpec) -> Task:
    """The task of a job. Raises UsageError for one that there is not."""
    if spec.is_batch:
        return batch_lines.make(spec)
    if spec.task not in BUILTIN:
        raise UsageError(f"--task {spec.task}: use one of {', '.join(BUILTIN)}")
    return BUILTIN[spec.task](spec)
