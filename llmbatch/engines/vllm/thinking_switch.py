"""Thinking before the answer: its switch in a chat template, and the parser that parts the two."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.core.records import ChatSettings, Message

_SWITCHES = ("enable_thinking", "thinking")
_MARKS = ("<think>", "</think>")
# vLLM's name of the parser that goes by these marks alone.
_BY_MARKS = "deepseek_r1"
PARSER = "reasoning_parser"

Render = Callable[[Sequence[Message], ChatSettings], str]


def switch_of(settings: ChatSettings, render: Render) -> str | None:
    """The variable by which a chat template lets its model think or not; None if it has none."""
    chat = [Message("user", "Hello")]
    for name in _SWITCHES:
        made = {_rendered(chat, _with(settings, name, on=on), render) for on in (True, False)}
        if len(made) > 1 and None not in made:
            return name
    return None


def _with(settings: ChatSettings, name: str, *, on: bool) -> ChatSettings:
    return replace(settings, kwargs={**settings.kwargs, name: on})


def _rendered(chat: Sequence[Message], settings: ChatSettings, render: Render) -> str | None:
    try:
        return render(chat, settings)
    except Exception:  # a template may raise anything; the trial of the chats tells it
        return None


def switched(settings: ChatSettings, render: Render) -> ChatSettings:
    """The settings with the template's own switch set as `thinking` says, if it has one."""
    if settings.thinking is None or not (switch := switch_of(settings, render)):
        return settings
    return _with(settings, switch, on=settings.thinking != "off")


def check(settings: ChatSettings, render: Render, *, has_marks: bool, parser: str | None) -> None:
    """Raise UsageError where `thinking` cannot be as it is wanted. `has_marks`: the vocabulary has
    those of the usual parser; `parser`: the one that the user named."""
    if settings.thinking is None:
        return
    switch = switch_of(replace(settings, kwargs={}), render)
    if switch in settings.kwargs:
        raise UsageError(f"--thinking sets the template's variable {switch!r}; give one of the two")
    if switch is None and (settings.thinking == "off" or not (has_marks or parser)):
        raise UsageError(
            f"--thinking {settings.thinking}: this chat template has no switch for it "
            f"({', '.join(_SWITCHES)}); leave it out"
        )
    if settings.thinking != "off" and not (has_marks or parser):
        raise UsageError(
            f"--thinking {settings.thinking}: the model has no tokens {' and '.join(_MARKS)}; name "
            f"vLLM's parser of its thinking: --engine-arg {PARSER}=NAME"
        )


def notices(settings: ChatSettings, render: Render, *, parser: str | None) -> list[str]:
    """A line for a model that may think although the job does not say so."""
    if settings.thinking is not None or parser or not (switch := switch_of(settings, render)):
        return []
    chat = [Message("user", "Hello")]
    off = _with(settings, switch, on=False)
    if switch in settings.kwargs or _rendered(chat, settings, render) == render(chat, off):
        return []
    return [
        "this model may think before it answers: --thinking on keeps that apart from the answer, "
        "--thinking off prevents it"
    ]


def named_parser(options: Mapping[str, Any]) -> str | None:
    """The parser that an engine's options name."""
    structured = options.get("structured_outputs_config")
    within = structured.get(PARSER) if isinstance(structured, Mapping) else None
    name = options.get(PARSER) or within
    return str(name) if name else None


def with_parser(options: Mapping[str, Any], settings: ChatSettings) -> dict[str, Any]:
    """The options of an engine whose model thinks as the settings say."""
    needed = settings.thinking not in (None, "off") and not named_parser(options)
    return dict(options) | ({PARSER: _BY_MARKS} if needed else {})


def budget(settings: ChatSettings) -> int | None:
    """The most tokens that the model may think; None: as many as it likes."""
    return settings.thinking if isinstance(settings.thinking, int) else None


def has_marks(vocabulary: Mapping[str, int]) -> bool:
    """True if the thinking can be told by the usual marks."""
    return all(mark in vocabulary for mark in _MARKS)
