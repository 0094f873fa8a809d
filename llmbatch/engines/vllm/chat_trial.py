"""A chat template, tried on some chats before an engine starts.

A template is a program of the model's author. It may refuse a role, leave a message out without a
word, or not look at a variable that it is given; each would concern every row of a job.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.core.records import ChatSettings, Message

_NO_TEMPLATE = (
    "the model has no chat template: the messages are sent as plain text, one after the other; "
    "--chat-template FILE gives it one, --raw sends the prompt alone"
)
_OTHER = "give another one with --chat-template FILE"
_AS_USER = "put the system prompt before the user's message with --system-as-user"
# Plain words, which no template has a reason to change, for the messages of a chat by number.
_MARK = "unmistakable {} words"

Render = Callable[[Sequence[Message], ChatSettings], str]
Chats = Sequence[Sequence[Message]]


def try_chats(
    chats: Chats, settings: ChatSettings, render: Render, *, has_template: bool
) -> list[str]:
    """Notices for the user. `render` makes text of a chat. Raises UsageError for a template that
    refuses all of the chats or leaves a message out, and for a variable that it ignores."""
    if not has_template:
        if settings.kwargs:
            raise UsageError(f"template.kwargs: {_NO_TEMPLATE}")
        return [_NO_TEMPLATE]
    usable = [chat for chat in chats if _refusal(chat, settings, render) is None]
    # Rows that bring their own messages differ in their turns: those that it refuses fail alone.
    if chats and not usable:
        raise _refused(chats[0], settings, render)
    if usable:
        _require_complete(usable[0], settings, render)
        _require_used(usable, settings, render)
    return []


def _refused(chat: Sequence[Message], settings: ChatSettings, render: Render) -> UsageError:
    reason = _refusal(chat, settings, render)
    rest = [message for message in chat if message.role != "system"]
    if len(rest) < len(chat) and _refusal(rest, settings, render) is None:
        return UsageError(f"chat template: refuses a system message ({reason}); {_AS_USER}")
    return UsageError(f"chat template: cannot be used for this job's messages ({reason}); {_OTHER}")


def _refusal(chat: Sequence[Message], settings: ChatSettings, render: Render) -> str | None:
    """The reason why a chat cannot be rendered; None if it can."""
    try:
        render(chat, settings)
    except Exception as error:  # a template may raise anything
        return " ".join(str(error).split())[:200] or type(error).__name__
    return None


def _require_complete(chat: Sequence[Message], settings: ChatSettings, render: Render) -> None:
    marked = [replace(message, content=_MARK.format(number)) for number, message in enumerate(chat)]
    try:
        text = render(marked, settings)
    except Exception:  # it looks for something in a message; the chat itself was rendered
        return
    for message in marked:
        if message.content in text:
            continue
        if message.role == "system":
            raise UsageError(f"chat template: leaves the system message out; {_AS_USER}")
        raise UsageError(f"chat template: leaves the {message.role} message out; {_OTHER}")
    if chat[-1].role == "prefill" and not text.endswith(marked[-1].content):
        raise UsageError(f"chat template: does not end with the prefill; {_OTHER}")


def _require_used(chats: Chats, settings: ChatSettings, render: Render) -> None:
    for name, value in settings.kwargs.items():
        # The other value shows that a switch is looked at which already is as it is wanted.
        values = [value, not value] if isinstance(value, bool) else [value]
        if not any(changes_prompt(chats, settings, render, {name: one}) for one in values):
            raise UsageError(
                f"template.kwargs: this chat template ignores {name!r}: the prompts of the first "
                "rows are the same without it; leave it out"
            )


def changes_prompt(
    chats: Chats, settings: ChatSettings, render: Render, kwargs: Mapping[str, Any]
) -> bool:
    """True if some chat is rendered in another way with these variables than without them."""
    rest = {name: value for name, value in settings.kwargs.items() if name not in kwargs}
    given, without = replace(settings, kwargs=rest | dict(kwargs)), replace(settings, kwargs=rest)
    return any(render(chat, given) != _rendered(chat, without, render) for chat in chats)


def _rendered(chat: Sequence[Message], settings: ChatSettings, render: Render) -> str | None:
    try:
        return render(chat, settings)
    except Exception:  # the template needs the variable
        return None
