"""The first model of a cascade, for commands that look at one model, and a word on the others."""

from typing import TYPE_CHECKING

from llmbatch.cli import console

if TYPE_CHECKING:
    from llmbatch.job.spec import JobSpec


def of(spec: "JobSpec") -> "JobSpec":
    """The job with its first model only, if it has several; then a line says so."""
    from llmbatch.job import stages

    if not spec.stages:
        return spec
    stages.check(spec)
    console.say(f"of the models of [[model]] only the first is used here: {spec.model}")
    return stages.first(spec)
