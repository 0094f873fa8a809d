"""The lines that answer a batch file, read by the types of OpenAI's own package."""

import base64
import json
from array import array
from typing import Any

import pytest
from openai.types import BatchError, Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion

from llmbatch.batch_files import lines, responses, wanted

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
MESSAGES: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}


def answer(text: str, **changes: Any) -> dict[str, Any]:
    """An answer of a row, as the store has it."""
    kept = {
        "request": "ab", "answer": text, "finish_reason": "stop", "prompt_tokens": 7,
        "cached_tokens": 4, "output_tokens": 3, "reasoning": None, "reasoning_tokens": None,
        "logprobs": None,
    }  # fmt: skip
    return kept | changes


def body_of(url: str, asked: dict[str, Any], *answers: dict[str, Any]) -> dict[str, Any]:
    """The body that answers a line with this body."""
    record = {"custom_id": "name", "method": "POST", "url": url, "body": asked}
    text = responses.answered(wanted.read(lines.read(record)), answers, "the job's")
    line = json.loads(text)
    assert (line["custom_id"], line["error"]) == ("name", None)
    assert line["response"]["status_code"] == 200
    return dict(line["response"]["body"])


def numbers(*values: float) -> str:
    """Numbers as an engine gives them."""
    return base64.b64encode(array("f", values).tobytes()).decode()


def test_a_chat() -> None:
    body = body_of(CHAT, MESSAGES | {"model": "asked"}, answer("Hi", finish_reason="context"))
    made = ChatCompletion.model_validate(body, strict=True)
    assert (made.model, made.object, made.created) == ("asked", "chat.completion", 0)
    (choice,) = made.choices
    assert (choice.message.content, choice.finish_reason, choice.logprobs) == ("Hi", "length", None)
    assert made.usage is not None
    assert made.usage.prompt_tokens_details is not None
    assert made.usage.prompt_tokens_details.cached_tokens == 4
    assert (made.usage.prompt_tokens, made.usage.completion_tokens) == (7, 3)
    assert made.usage.total_tokens == 10


def test_several_answers_to_a_chat_share_its_prompt() -> None:
    asked = MESSAGES | {"n": 2}
    made = ChatCompletion.model_validate(body_of(CHAT, asked, answer("a"), answer("b")))
    assert [(one.index, one.message.content) for one in made.choices] == [(0, "a"), (1, "b")]
    assert made.usage is not None
    assert (made.usage.prompt_tokens, made.usage.completion_tokens) == (7, 6)
    assert made.model == "the job's"


def test_what_a_model_thought_stands_beside_its_answer() -> None:
    body = body_of(CHAT, MESSAGES, answer("a", reasoning="hm", reasoning_tokens=2))
    assert body["choices"][0]["message"]["reasoning"] == "hm"
    made = ChatCompletion.model_validate(body)
    assert made.usage is not None
    assert made.usage.completion_tokens_details is not None
    assert made.usage.completion_tokens_details.reasoning_tokens == 2


LOGPROBS = json.dumps([[["é", -2.0], ["b", -0.5], ["c", -1.0]], [["d", -0.1]]])


def test_log_probabilities_of_a_chat_are_those_of_the_likeliest_tokens() -> None:
    """The token that was drawn is not among them if it is not one of the likeliest."""
    asked = MESSAGES | {"logprobs": True, "top_logprobs": 2}
    made = ChatCompletion.model_validate(body_of(CHAT, asked, answer("éd", logprobs=LOGPROBS)))
    found = made.choices[0].logprobs
    assert found is not None
    assert found.content is not None
    first, second = found.content
    assert (first.token, first.logprob, first.bytes) == ("é", -2.0, [195, 169])
    assert [(one.token, one.logprob) for one in first.top_logprobs] == [("b", -0.5), ("c", -1.0)]
    assert [one.token for one in second.top_logprobs] == ["d"]


def test_a_text_and_its_log_probabilities() -> None:
    asked = {"prompt": "Hello", "logprobs": 2}
    made = Completion.model_validate(body_of(COMPLETIONS, asked, answer("éd", logprobs=LOGPROBS)))
    (choice,) = made.choices
    assert (choice.text, choice.finish_reason) == ("éd", "stop")
    found = choice.logprobs
    assert found is not None
    assert found.tokens == ["é", "d"]
    assert found.token_logprobs == [-2.0, -0.1]
    assert found.text_offset == [0, 1]
    assert found.top_logprobs is not None
    assert found.top_logprobs[0] == {"é": -2.0, "b": -0.5, "c": -1.0}


def test_texts_of_several_prompts_each_count_once() -> None:
    asked = {"prompt": ["a", "b"], "n": 2}
    made = Completion.model_validate(body_of(COMPLETIONS, asked, *map(answer, "wxyz")))
    assert [(one.index, one.text) for one in made.choices] == list(enumerate("wxyz"))
    assert made.usage is not None
    assert (made.usage.prompt_tokens, made.usage.completion_tokens) == (14, 12)


def test_vectors() -> None:
    asked = {"input": ["a", "b"]}
    answers = [answer(numbers(0.5, -1)), answer(numbers(2, 3))]
    made = CreateEmbeddingResponse.model_validate(body_of("/v1/embeddings", asked, *answers))
    assert [(one.index, one.embedding) for one in made.data] == [(0, [0.5, -1.0]), (1, [2.0, 3.0])]
    assert (made.usage.prompt_tokens, made.usage.total_tokens) == (14, 14)
    packed = body_of("/v1/embeddings", asked | {"encoding_format": "base64"}, *answers)
    assert packed["data"][0]["embedding"] == numbers(0.5, -1)


def test_scores() -> None:
    body = body_of("/v1/score", {"text_1": "q", "text_2": "d"}, answer(numbers(0.25)))
    assert body["data"] == [{"index": 0, "object": "score", "score": 0.25}]


@pytest.mark.parametrize(("more", "kept"), [({}, [1, 2, 0]), ({"top_n": 2}, [1, 2])])
def test_ranks_are_sorted_and_cut(more: dict[str, Any], kept: list[int]) -> None:
    asked = {"query": "q", "documents": ["a", "b", "c"]} | more
    scores = [answer(numbers(score)) for score in (0.25, 0.75, 0.5)]
    results = body_of("/v1/rerank", asked, *scores)["results"]
    assert [result["index"] for result in results] == kept
    assert results[0] == {"index": 1, "document": {"text": "b"}, "relevance_score": 0.75}


def test_ids_follow_from_the_row_and_its_request() -> None:
    record = {"custom_id": "name", "method": "POST", "url": CHAT, "body": MESSAGES}
    asked = wanted.read(lines.read(record))
    one = responses.answered(asked, [answer("Hi")], "m")
    assert responses.answered(asked, [answer("Hi")], "m") == one
    other = json.loads(responses.answered(asked, [answer("Hi", request="cd")], "m"))
    assert other["id"] != json.loads(one)["id"]


def test_a_failed_row_says_why_as_a_server_does() -> None:
    line = json.loads(responses.failed("name", "ab", "too_long", "is too long"))
    assert line["response"]["status_code"] == 400
    error = line["response"]["body"]["error"]
    assert (error["message"], error["code"]) == ("is too long", "too_long")
    assert BatchError.model_validate(line["error"]).message == "is too long"
    broken = json.loads(responses.failed("name", "ab", "engine_crash", "crash"))
    assert broken["response"]["status_code"] == 500


def test_a_rejected_line_has_its_number() -> None:
    line = json.loads(responses.rejected(None, 5, "invalid JSON"))
    assert (line["custom_id"], line["response"]) == (None, None)
    error = BatchError.model_validate(line["error"])
    assert (error.code, error.line, error.message) == ("rejected", 5, "invalid JSON")
