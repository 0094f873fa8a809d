"""Retries that are told of the failed answer: the jobs that can have them, and their cost."""

from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks.base import Task


def check(spec: JobSpec, task: Task) -> None:
    """Raise UsageError if it is to be told (`--feedback`), and never could be."""
    if not spec.run.feedback:
        if spec.run.feedback_text is not None:
            raise UsageError("--feedback-text: is said with --feedback alone: give that, too")
        return
    if task.ask is not None:
        raise UsageError(
            f"--feedback: --task {spec.task} has no text of the model's that could be shown to it; "
            "leave it out"
        )
    if spec.raw:
        raise UsageError(
            "--feedback: is two more turns of a chat, and --raw sends a text without a chat; leave "
            "one of the two out"
        )
    if spec.run.attempts == 1:
        raise UsageError("--feedback: --attempts 1 leaves no second try; give 2 or more")
    is_checked = any(rule.on_fail == "retry" for rule in spec.check)
    if task.form is None and not spec.is_batch and not is_checked:
        raise UsageError(
            "--feedback: every text is an answer to this job, so none is tried again; say what an "
            "answer must be (--choice, --schema, --regex or --check), or leave it out"
        )


def notices(spec: JobSpec) -> list[str]:
    """A line for the user of an estimate about the prompts of retries."""
    if not spec.run.feedback:
        return []
    return [
        "with --feedback the prompt of a retry also has the failed answer and the reason; how many "
        "retries come, and how long their prompts are, the estimate knows from earlier runs alone"
    ]
