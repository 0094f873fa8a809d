"""A job made ready: all that follows from its spec alone, made once and handed to everybody."""

from dataclasses import dataclass

from llmbatch.job import folder, stages
from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import job_prompt
from llmbatch.pipeline.prompts.template import Prompt
from llmbatch.pipeline.rows import input_file, output_file
from llmbatch.pipeline.rows.input_file import InputFile
from llmbatch.pipeline.rows.output_file import OutputFile
from llmbatch.pipeline.tasks import feedback, own_keys, registry, samples
from llmbatch.pipeline.tasks.base import Task


@dataclass(frozen=True, slots=True)
class ReadyJob:
    """`paths`: its state folder; `prompt`: its compiled templates, for rows of any columns;
    `task`: what is asked and accepted, with its sampling and constraint."""

    spec: JobSpec
    paths: JobPaths
    prompt: Prompt
    task: Task
    input: InputFile
    output: OutputFile


def make(spec: JobSpec) -> ReadyJob:
    """Make a job ready; no file is looked at (see `preflight.make_ready`). Raises UsageError for a
    template, a constraint or a format that cannot be used."""
    stages.check(spec)
    task = registry.make(spec)
    own_keys.require(spec, task)
    prompt = job_prompt.make(spec, task)
    task.require_valid()
    samples.check(spec, task)
    feedback.check(spec, task)
    paths = folder.paths_for(spec)
    source = input_file.make(spec, paths.state)
    output = output_file.make(spec, task.columns)
    return ReadyJob(spec, paths, prompt, task, source, output)
