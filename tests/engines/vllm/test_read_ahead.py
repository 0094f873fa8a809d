"""Prompts that were encoded before the engine has started are not encoded again."""

from collections.abc import Sequence

import pytest

from llmbatch.core.records import Message
from llmbatch.engines.vllm.read_ahead import COMPARED, ReadAhead


def chat(number: int) -> list[Message]:
    return [Message("user", f"row {number}")]


class Encoder:
    """Counts what it is asked; adds `off` to each id."""

    def __init__(self, off: int = 0) -> None:
        self.asked = 0
        self._off = off

    def __call__(self, messages: Sequence[Message]) -> list[int]:
        self.asked += 1
        return [ord(letter) + self._off for letter in messages[0].content]


def filled(count: int, most: int = 1000) -> ReadAhead:
    ahead, encode = ReadAhead(most), Encoder()
    for number in range(count):
        ahead.add(chat(number), encode(chat(number)))
    return ahead


def test_after_a_few_comparisons_no_known_prompt_is_encoded() -> None:
    ahead, encode = filled(COMPARED + 5), Encoder()
    for number in range(COMPARED + 5):
        assert ahead.take(tuple(chat(number)), encode) == Encoder()(chat(number))
    assert encode.asked == COMPARED


def test_a_prompt_is_kept_until_it_is_taken() -> None:
    ahead, encode = filled(COMPARED + 1), Encoder()
    for _ in range(2):
        for number in range(COMPARED + 1):
            ahead.take(chat(number), encode)
    assert encode.asked == COMPARED + COMPARED + 1


def test_where_the_engine_has_other_ids_its_own_are_taken_and_none_is_kept() -> None:
    ahead, own = filled(COMPARED + 5), Encoder(off=1)
    assert ahead.take(chat(0), own) == own(chat(0))
    ahead.add(chat(99), [1])
    before = own.asked
    for number in (*range(1, COMPARED + 5), 99):
        assert ahead.take(chat(number), own) == Encoder(off=1)(chat(number))
    assert own.asked == before + COMPARED + 5


@pytest.mark.parametrize("most", [0, 5, 12])
def test_no_more_is_kept_than_there_is_room_for(most: int) -> None:
    ahead, encode = filled(3, most), Encoder()
    for number in range(3):
        assert ahead.take(chat(number), encode) == Encoder()(chat(number))
    ahead = filled(COMPARED + 3, most)
    assert sum(len(ids) for ids in ahead._kept.values()) <= most
