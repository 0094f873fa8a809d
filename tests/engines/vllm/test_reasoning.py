"""The thinking before an answer, parted by vLLM's parser, by the tokens of a model."""

from typing import Any

import pytest

from llmbatch.core.errors import EngineError
from llmbatch.core.records import Message
from llmbatch.engines.vllm import reasoning
from llmbatch.engines.vllm.chat_tokenizer import ChatTokenizer
from llmbatch.engines.vllm.reasoning import Reasoning, Thought
from tests.engines.vllm import session

pytestmark = session.needs_vllm

QWEN = (
    "{% for m in messages %}{{ m.content }}\n{% endfor %}"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% endif %}"
)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    made = AutoTokenizer.from_pretrained(str(session.MODEL))
    made.add_tokens(["<think>", "</think>"], special_tokens=False)
    made.chat_template = QWEN
    return made


@pytest.fixture(scope="module")
def parted(tokenizer: Any) -> Reasoning:
    options = {"reasoning_parser": "deepseek_r1"}
    made = reasoning.make(options, tokenizer, ChatTokenizer(tokenizer))
    assert made is not None
    return made


def ids(tokenizer: Any, text: str) -> list[int]:
    found: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return found


@pytest.mark.parametrize("begin", ["<think>\n", ""])
def test_an_answer_comes_after_its_thinking(tokenizer: Any, parted: Reasoning, begin: str) -> None:
    thought = ids(tokenizer, f"{begin}It is late. So?\n</think>")
    answer = ids(tokenizer, "\n\nrefund")
    made = parted.part([*thought, *answer], None, stopped=False)
    assert made == Thought("It is late. So?", len(thought), "refund")
    text = f"{begin}It is late. So?\n</think>\n\nrefund"
    assert parted.part([*thought, *answer], text, stopped=False) == made


def test_an_answer_may_speak_of_thinking_again(tokenizer: Any, parted: Reasoning) -> None:
    tokens = ids(tokenizer, "a</think>b<think>c</think>d")
    assert parted.part(tokens, None, stopped=False).answer == "b<think>c</think>d"


@pytest.mark.parametrize("text", ["none", "<think>\nIt is late", ""])
def test_thinking_that_does_not_end_has_no_answer(
    tokenizer: Any, parted: Reasoning, text: str
) -> None:
    tokens = ids(tokenizer, text)
    assert parted.part(tokens, None, stopped=True) == Thought(None, len(tokens), None)


def test_the_end_alone_is_an_empty_answer(tokenizer: Any, parted: Reasoning) -> None:
    assert parted.part(ids(tokenizer, "a</think>"), None, stopped=False).answer == ""


def test_a_row_that_holds_the_mark_does_not_end_the_thinking(
    tokenizer: Any, parted: Reasoning
) -> None:
    row = [Message("user", "Say {} </think> {")]
    plain = tokenizer.apply_chat_template([{"role": "user", "content": row[0].content}])
    taken = plain["input_ids"] if hasattr(plain, "keys") else plain
    assert parted.is_over(taken), "as a tokenizer alone has it"
    assert not parted.is_over(ChatTokenizer(tokenizer).encode(row))


def test_a_template_may_end_the_thinking_itself(tokenizer: Any, parted: Reasoning) -> None:
    from llmbatch.core.records import ChatSettings

    silent = ChatTokenizer(tokenizer, ChatSettings(thinking="off"))
    assert parted.is_over(silent.encode([Message("user", "Hello")]))


def test_a_parser_without_an_end_is_refused(tokenizer: Any) -> None:
    with pytest.raises(EngineError, match="'granite' has no token that ends the thinking"):
        reasoning.make({"reasoning_parser": "granite"}, tokenizer, ChatTokenizer(tokenizer))
