"""The system prompt before the user's message."""

from llmbatch.core.records import Message
from llmbatch.pipeline.prompts.system_role import put_before_user


def test_the_system_prompt_comes_first() -> None:
    chat = [Message("system", "Be short."), Message("user", "Hello")]
    assert put_before_user(chat) == [Message("user", "Be short.\n\nHello")]


def test_an_empty_part_leaves_no_gap() -> None:
    assert put_before_user([Message("system", " "), Message("user", "Hello")]) == [
        Message("user", "Hello")
    ]


def test_a_chat_without_a_system_prompt_stays() -> None:
    assert put_before_user([Message("user", "Hello")]) == [Message("user", "Hello")]
