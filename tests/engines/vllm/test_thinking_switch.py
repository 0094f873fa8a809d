"""The switch by which a chat template lets its model think."""

from collections.abc import Sequence
from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from llmbatch.core.errors import UsageError
from llmbatch.core.records import ChatSettings, Message
from llmbatch.engines.vllm import thinking_switch

EACH = "{% for m in messages %}{{ m.content }}{% endfor %}"
QWEN = EACH + "{% if enable_thinking is defined and enable_thinking is false %}off{% endif %}"
DEEPSEEK = EACH + "{% if thinking is defined and thinking %}<think>{% endif %}"
NONE = EACH + "<think>"


def renderer(source: str) -> thinking_switch.Render:
    template = ImmutableSandboxedEnvironment().from_string(source)

    def render(messages: Sequence[Message], settings: ChatSettings) -> str:
        return template.render(messages=messages, **settings.kwargs)

    return render


@pytest.mark.parametrize(
    ("source", "name"), [(QWEN, "enable_thinking"), (DEEPSEEK, "thinking"), (NONE, None)]
)
def test_the_switch_is_the_variable_that_changes_the_prompt(source: str, name: str | None) -> None:
    assert thinking_switch.switch_of(ChatSettings(), renderer(source)) == name


@pytest.mark.parametrize(("thinking", "on"), [("on", True), ("off", False), (20, True)])
@pytest.mark.parametrize(("source", "name"), [(QWEN, "enable_thinking"), (DEEPSEEK, "thinking")])
def test_it_is_set_as_the_job_says(source: str, name: str, thinking: Any, on: bool) -> None:
    made = thinking_switch.switched(ChatSettings(thinking=thinking), renderer(source))
    assert made.kwargs == {name: on}


def test_without_a_wish_the_template_decides() -> None:
    assert thinking_switch.switched(ChatSettings(), renderer(QWEN)) == ChatSettings()


def check(source: str, thinking: Any, *, marks: bool = True, parser: str | None = None) -> None:
    settings = ChatSettings(thinking=thinking)
    thinking_switch.check(settings, renderer(source), has_marks=marks, parser=parser)


def test_what_the_model_cannot_do_is_refused() -> None:
    with pytest.raises(UsageError, match="--thinking off: this chat template has no switch"):
        check(NONE, "off")
    with pytest.raises(UsageError, match="--thinking on: this chat template has no switch"):
        check(EACH, "on", marks=False)
    with pytest.raises(UsageError, match=r"no tokens <think> and </think>; name .* parser"):
        check(QWEN, 30, marks=False)
    check(QWEN, "off", marks=False)
    check(QWEN, 30, marks=False, parser="qwen3")
    check(NONE, "on")  # it always thinks


def test_the_switch_is_not_given_twice() -> None:
    settings = ChatSettings(kwargs={"enable_thinking": True}, thinking="on")
    with pytest.raises(UsageError, match="give one of the two"):
        thinking_switch.check(settings, renderer(QWEN), has_marks=True, parser=None)


def test_a_model_that_may_think_unasked_is_told_of() -> None:
    def told(source: str, settings: ChatSettings, parser: str | None = None) -> bool:
        return bool(thinking_switch.notices(settings, renderer(source), parser=parser))

    assert told(QWEN, ChatSettings())
    assert not told(QWEN, ChatSettings(), "qwen3")
    assert not told(QWEN, ChatSettings(thinking="off"))
    assert not told(QWEN, ChatSettings(kwargs={"enable_thinking": True}))
    assert not told(DEEPSEEK, ChatSettings())
    assert not told(EACH, ChatSettings())


def test_an_engine_that_is_to_think_gets_a_parser() -> None:
    thinks, silent = ChatSettings(thinking=20), ChatSettings(thinking="off")
    assert thinking_switch.with_parser({}, thinks) == {"reasoning_parser": "deepseek_r1"}
    assert thinking_switch.with_parser({}, silent) == {}
    own = {"structured_outputs_config": {"reasoning_parser": "qwen3"}}
    assert thinking_switch.with_parser(own, thinks) == own
    assert thinking_switch.named_parser({"reasoning_parser": "granite"}) == "granite"
    assert [thinking_switch.budget(each) for each in (thinks, silent)] == [20, None]
