"""A chat template is tried before an engine starts, and its faults are told in one line."""

from collections.abc import Sequence
from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from llmbatch.core.errors import UsageError
from llmbatch.core.records import ChatSettings, Message
from llmbatch.engines.vllm.chat_trial import Render, try_chats
from tests.engines.tiny_tokenizers import TEMPLATES

EACH = "{% for m in messages %}"
CHAT = [Message("system", "Be short."), Message("user", "Hello")]
REFUSES = (
    EACH + "{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{{ m.content }}{% endfor %}"
)
ALTERNATES = (
    EACH + "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}{{ m.content }}{% endfor %}"
)
DROPS = EACH + "{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}"
THINKS = (
    EACH + "{{ m.content }}{% endfor %}"
    "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"
)


def renderer(source: str) -> Render:
    """A template as a function."""

    def stop(reason: str) -> None:
        raise ValueError(reason)

    environment = ImmutableSandboxedEnvironment()
    environment.globals["raise_exception"] = stop

    def render(messages: Sequence[Message], settings: ChatSettings) -> str:
        template = environment.from_string(source)
        written = [{"role": one.role, "content": one.content} for one in messages]
        return template.render(messages=written, **settings.kwargs)

    return render


def trial(
    source: str, chat: Sequence[Message] = CHAT, kwargs: dict[str, Any] | None = None
) -> list[str]:
    settings = ChatSettings(kwargs=kwargs or {})
    return try_chats([chat], settings, renderer(source), has_template=bool(source))


def tried(source: str, *chats: Sequence[Message]) -> list[str]:
    render = renderer(source)
    return try_chats(chats, ChatSettings(), render, has_template=True)


@pytest.mark.parametrize("style", [name for name, source in TEMPLATES.items() if source])
def test_good_templates_have_nothing_to_say(style: str) -> None:
    assert trial(TEMPLATES[style] or "") == []


@pytest.mark.parametrize("source", [REFUSES, ALTERNATES])
def test_a_template_without_a_system_role(source: str) -> None:
    with pytest.raises(UsageError, match=r"refuses a system message .* with --system-as-user"):
        trial(source)
    assert trial(source, CHAT[1:]) == []


def test_a_template_that_leaves_a_message_out_without_a_word() -> None:
    with pytest.raises(UsageError, match=r"leaves the system message out; .* --system-as-user"):
        trial(DROPS)
    with pytest.raises(UsageError, match=r"leaves the user message out; .* --chat-template FILE"):
        trial("{{ messages[0].content }}")
    assert trial(DROPS, CHAT[1:]) == []


@pytest.mark.parametrize("source", ["{{ messages[5].content }}", "{{ messages", "{{ x.y.z }}"])
def test_a_template_that_cannot_be_used_at_all(source: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be used for this job's messages \(.+\); give"):
        trial(source)


def test_without_a_template_the_contents_are_plain_text() -> None:
    (notice,) = trial("")
    assert "no chat template" in notice
    assert "--chat-template FILE" in notice
    with pytest.raises(UsageError, match=r"template\.kwargs: the model has no chat template"):
        trial("", kwargs={"enable_thinking": False})


@pytest.mark.parametrize("value", [True, False])
def test_a_switch_that_the_template_looks_at(value: bool) -> None:
    assert trial(THINKS, kwargs={"enable_thinking": value}) == []


@pytest.mark.parametrize("kwargs", [{"thinking": False}, {"enable_thinkin": True}, {"n": 3}])
def test_a_variable_that_the_template_ignores(kwargs: dict[str, Any]) -> None:
    (name,) = kwargs
    with pytest.raises(UsageError, match=rf"ignores '{name}'"):
        trial(THINKS, kwargs=kwargs)


def test_a_variable_that_the_template_needs() -> None:
    needy = "{{ raise_exception('no date') if not date }}{{ date }}" + DROPS
    assert trial(needy, CHAT[1:], {"date": "today"}) == []
    with pytest.raises(UsageError, match="no date"):
        trial(needy, CHAT[1:])


SHOTS = [CHAT[1], Message("assistant", "A"), Message("user", "B"), Message("assistant", "C")]


def test_every_turn_has_to_be_there() -> None:
    good = EACH + "{{ m.content }}{% endfor %}"
    assert trial(good, [*SHOTS, CHAT[1]]) == []
    last = EACH + "{% if m.role == 'user' or loop.last %}{{ m.content }}{% endif %}{% endfor %}"
    with pytest.raises(UsageError, match="leaves the assistant message out"):
        trial(last, [*SHOTS, CHAT[1]])
    with pytest.raises(UsageError, match="does not end with the prefill"):
        trial(f"{good} ", [CHAT[1], Message("prefill", "It")])


def test_rows_of_other_turns_fail_alone() -> None:
    odd = [*CHAT, CHAT[1]]
    assert tried(ALTERNATES, CHAT[1:], odd) == []
    assert tried(ALTERNATES, odd, CHAT[1:]) == []
    with pytest.raises(UsageError, match="cannot be used for this job's messages"):
        tried(ALTERNATES, odd, odd)
