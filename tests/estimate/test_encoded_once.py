"""Chats that are asked for again are encoded once, as far as there is room."""

from collections.abc import Sequence

import pytest

from llmbatch.core.records import Message
from llmbatch.estimate.encoded_once import EncodedOnce


class Encoder:
    """Counts what it is asked; cannot encode an empty text, and has no ids for "?"."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, messages: Sequence[Message]) -> list[int] | None:
        text = messages[0].content
        self.asked.append(text)
        if not text:
            raise ValueError("empty")
        return None if text == "?" else list(map(ord, text))


def test_a_chat_is_encoded_once_whatever_holds_its_messages() -> None:
    encoder = Encoder()
    encode = EncodedOnce(encoder)
    for chat in ([Message("user", "ab")], (Message("user", "ab"),)):
        assert list(encode(chat) or ()) == [97, 98]
    assert list(encode([Message("system", "ab")]) or ()) == [97, 98]
    assert encoder.asked == ["ab", "ab"]


def test_what_cannot_be_encoded_is_asked_again() -> None:
    encoder = Encoder()
    encode = EncodedOnce(encoder)
    for _ in range(2):
        with pytest.raises(ValueError, match="empty"):
            encode([Message("user", "")])
        assert encode([Message("user", "?")]) is None
    assert encoder.asked == ["", "?", "", "?"]


def test_no_more_is_kept_than_there_is_room_for() -> None:
    encoder = Encoder()
    encode = EncodedOnce(encoder, most=3)
    for text in ("ab", "cd", "e", "ab", "cd", "e"):
        assert list(encode([Message("user", text)]) or ()) == list(map(ord, text))
    assert encoder.asked == ["ab", "cd", "e", "cd"]
