"""A tokenizer that is not the Rust one, and of which we know only what it makes of a chat."""

from collections.abc import Sequence

import pytest

from llmbatch.core.records import Message
from llmbatch.engines.vllm.contents_apart import MixedError
from llmbatch.engines.vllm.slow_contents import SlowContentsApart


class Characters:
    """The names of a tokenizer of transformers that are asked for; it knows characters."""

    unk_token_id = 0
    all_special_tokens = ("<unk>", "<|end|>")
    all_special_ids = (0, 1)
    added_tokens_decoder = {2: "<think>", 3: "  "}


def by_text(messages: Sequence[Message]) -> list[int]:
    """Encodes all of a chat, control tokens in its contents as well."""
    ids: list[int] = []
    for message in messages:
        for number, part in enumerate(message.content.split("<|end|>")):
            ids += [*([1] if number else []), *(10 + ord(letter) for letter in part)]
        ids.append(1)
    return ids


def by_parts(messages: Sequence[Message]) -> list[int]:
    """Encodes contents as text, as the tokenizers of Mistral do."""
    return [one for each in messages for one in (*(10 + ord(c) for c in each.content), 1)]


def chat(text: str) -> list[Message]:
    return [Message("system", "Be brief."), Message("user", text)]


def test_contents_that_become_control_tokens_are_refused() -> None:
    ours = SlowContentsApart(Characters(), by_text)
    with pytest.raises(MixedError, match="takes for its own"):
        ours.encode(chat("a<|end|>b"))
    assert ours.encode(chat("a<|en")) == by_text(chat("a<|en"))


@pytest.mark.parametrize("text", ["a<|end|>b", "<think>", "<unk>", "plain  text"])
def test_contents_that_stay_text_are_encoded_as_ever(text: str) -> None:
    ours = SlowContentsApart(Characters(), by_parts)
    assert ours.encode(chat(text)) == by_parts(chat(text))
