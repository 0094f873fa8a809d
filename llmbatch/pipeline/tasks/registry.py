"""The tasks by name."""

from collections.abc import Callable

from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import generate
from llmbatch.pipeline.tasks.base import Task

BUILTIN: dict[str, Callable[[JobSpec], Task]] = {generate.NAME: generate.make}


def make(spec: JobSpec) -> Task:
    """The task of a job. So far there is one. With a second one the spec gets a key `task`, which
    names one of `BUILTIN` and is declared ANSWER."""
    return BUILTIN[generate.NAME](spec)
