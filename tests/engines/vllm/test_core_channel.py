"""Answers made of what vLLM's front end gives; nothing here starts it."""

import json
from types import SimpleNamespace
from typing import Any

from llmbatch.engines.vllm.core_channel import answer_of


def finished(**changes: Any) -> SimpleNamespace:
    """vLLM's form of a finished request."""
    completion = {"token_ids": [7, 8], "finish_reason": "stop", "text": "ab", "logprobs": None}
    outputs = [SimpleNamespace(**completion | changes)]
    return SimpleNamespace(
        request_id="3", prompt_token_ids=[1, 2], num_cached_tokens=1, outputs=outputs
    )


def logprob(text: str | None, value: float) -> SimpleNamespace:
    return SimpleNamespace(decoded_token=text, logprob=value)


def test_an_answer_without_log_probabilities() -> None:
    made = answer_of(finished())
    assert (made.number, made.prompt, made.tokens, made.cached) == ("3", 2, [7, 8], 1)
    assert (made.reason, made.text, made.logprobs, made.vector) == ("stop", "ab", None, None)


def test_log_probabilities_are_json_with_the_token_itself_first() -> None:
    """JSON has no infinity, which vLLM gives for what a form forbids."""
    found = [
        {7: logprob("a", -0.5), 9: logprob("c", float("-inf"))},
        {8: logprob(None, -1.0)},
    ]
    made = answer_of(finished(logprobs=found))
    assert made.vector is None
    assert json.loads(made.logprobs or "") == [[["a", -0.5], ["c", -9999.0]], [["", -1.0]]]
