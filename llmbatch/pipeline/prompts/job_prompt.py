"""The prompt of a job: its templates, its examples, or a column of messages; and what of these goes
together."""

from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import batch_messages
from llmbatch.pipeline.prompts.examples import Examples
from llmbatch.pipeline.prompts.given_messages import MessagesColumn
from llmbatch.pipeline.prompts.needs import Needs
from llmbatch.pipeline.prompts.pieces import pieces_of
from llmbatch.pipeline.prompts.template import Prompt
from llmbatch.pipeline.tasks.base import Task


def make(spec: JobSpec, task: Task) -> Prompt:
    """The compiled prompt of a job. Raises UsageError for a template that cannot be used, for
    settings that exclude each other, and for examples that do not fit."""
    if spec.is_batch:
        task.require_valid()
        return Prompt(None, None, needs=Needs.of(spec), given=batch_messages.of_line)
    _check(spec, task)
    examples = Examples.of(spec)
    given = None if spec.messages is None else MessagesColumn(spec.messages)
    prompt = Prompt(
        spec.prompt,
        spec.system,
        needs=Needs.of(spec),
        files=spec.template_files,
        pieces=pieces_of(spec),
        given=given,
        given_column=spec.messages,
        examples=examples,
    )
    if examples is not None:
        prompt.of_examples().check(examples.columns, examples.name)
        task.require_valid()
        examples.check(task)
    return prompt


def _check(spec: JobSpec, task: Task) -> None:
    is_chat = task.ask is None or not task.ask.pools
    for flag, is_given in _given(spec).items():
        if is_given and not is_chat:
            raise UsageError(f"{flag}: is for chats, and this job asks with texts; leave it out")
    if spec.messages is not None:
        _check_messages(spec)
    if spec.raw:
        _check_raw(spec)
    if spec.prefill is not None:
        _check_prefill(spec, task)
    if spec.example_answer is not None and not spec.examples:
        raise UsageError("--example-answer: there are no examples; give a file with --examples")


def _given(spec: JobSpec) -> dict[str, bool]:
    """The settings of a chat, by flag, and whether they are given."""
    return {
        "--examples": bool(spec.examples),
        "--messages": spec.messages is not None,
        "--prefill": spec.prefill is not None,
        "--raw": spec.raw,
    }


def _check_messages(spec: JobSpec) -> None:
    if spec.prompt is not None:
        raise UsageError(
            f"--messages {spec.messages}: each row brings its own messages, so there can be no "
            "prompt; leave one of the two out (a --system prompt may go before them)"
        )
    if spec.examples:
        raise UsageError(
            f"--messages {spec.messages}: examples are written by the prompt, and there is none; "
            "put them into the rows' own messages"
        )


def _check_raw(spec: JobSpec) -> None:
    template = spec.template
    others = {
        "--system": spec.system is not None,
        "--messages": spec.messages is not None,
        "--examples": bool(spec.examples),
        "--prefill": spec.prefill is not None,
        "--chat-template": template.chat_template is not None,
        "--template-arg": bool(template.kwargs),
        "--thinking": template.thinking is not None,
        "--system-as-user": template.system_as_user,
    }
    if named := [flag for flag, is_given in others.items() if is_given]:
        raise UsageError(
            f"--raw: the prompt is all that is sent, without a chat: leave {' and '.join(named)} "
            "out, and write into the prompt what the model is to read"
        )


def _check_prefill(spec: JobSpec, task: Task) -> None:
    if spec.task == "classify":
        raise UsageError("--prefill: a label is the whole answer; leave the prefill out")
    if spec.reasons:
        raise UsageError(
            "--prefill: the answer begins with it, so the model cannot think before; leave out "
            "--thinking and reasoning_parser, or the prefill"
        )
    if task.constraint is not None:
        raise UsageError(
            f"--prefill: while an answer is written its form ({task.constraint.kind}) can be held "
            "only after the prefill, and the whole answer is to have it; say --constrain check "
            "(the whole answer is checked, prefill and all), or leave the prefill out"
        )
