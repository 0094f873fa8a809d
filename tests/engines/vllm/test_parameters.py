"""Parameters that few requests have, on the sample model: log probabilities, biases, other ends."""

import json
import math
from typing import Any

import pytest

from llmbatch.core.outcomes import Completed, Failed, Outcome
from llmbatch.engines.vllm.engine import VllmEngine
from tests.engines.vllm import session
from tests.engines.vllm.requests import ask, choice

pytestmark = session.needs_vllm

TEXT = "Reply to the customer"


def outcomes(engine: VllmEngine, way: str, *settings: dict[str, Any]) -> list[Outcome]:
    """The outcomes of the same text with these settings, in their order."""
    requests = [ask(TEXT, **each) for each in settings]
    with session.driven(engine, way):
        found = {outcome.key: outcome for outcome in engine.run(requests)}
    return [found[request.key] for request in requests]


def pairs(outcome: Outcome) -> list[list[Any]]:
    """The log probabilities of an answer."""
    assert isinstance(outcome, Completed)
    assert outcome.logprobs is not None
    found: list[list[Any]] = json.loads(outcome.logprobs)
    return found


@pytest.mark.parametrize("way", ["short", "public"])
def test_log_probabilities_come_with_each_token(vllm_engine: VllmEngine, way: str) -> None:
    plain, alone, several = outcomes(vllm_engine, way, {}, {"logprobs": 0}, {"logprobs": 3})
    assert isinstance(plain, Completed)
    assert plain.logprobs is None
    assert alone.text == several.text == plain.text
    assert len(pairs(several)) == several.usage.output
    for position, single in zip(pairs(several), pairs(alone), strict=True):
        assert len(position) == 3
        values = [value for _, value in position]
        assert values == sorted(values, reverse=True)  # greedy: the token is the likeliest
        assert sum(map(math.exp, values)) <= 1.0001
        assert single[0] == position[0]
    assert "".join(position[0][0] for position in pairs(several)).startswith(plain.text)


@pytest.mark.parametrize("way", ["short", "public"])
def test_a_bias_and_other_ends_of_an_answer(vllm_engine: VllmEngine, way: str) -> None:
    plain, *_ = outcomes(vllm_engine, way, {})
    assert vllm_engine._session is not None
    tokenizer = vllm_engine._session.tokenizer
    first = _token(vllm_engine, plain.text or "")
    biased, ended, kept, longer = outcomes(
        vllm_engine,
        way,
        {"logit_bias": ((first, -100.0),)},
        {"stop_token_ids": (first,)},
        {"stop": ((plain.text or "")[:1],), "include_stop": True},
        {"max_tokens": 40, "min_tokens": 40},
    )
    assert (biased.text or "")[:1] != (plain.text or "")[:1]
    assert (ended.text, ended.finish_reason, ended.usage.output) == ("", "stop", 1)
    assert kept.text == (plain.text or "")[:1]
    assert (longer.usage.output, longer.finish_reason) == (40, "length")
    assert tokenizer is not None


def _token(engine: VllmEngine, text: str) -> int:
    """The first token of an answer."""
    assert engine._client is not None
    tokens: list[int] = engine._client.engine.get_tokenizer().encode(text, add_special_tokens=False)
    return tokens[0]


def test_all_tokens_of_a_choice_are_there_if_they_are_asked_for(vllm_engine: VllmEngine) -> None:
    request = ask(TEXT, choice("billing", "refund"), logprobs=1, max_tokens=20)
    (outcome,) = vllm_engine.run([request])
    assert outcome.text in ("billing", "refund")
    assert "".join(position[0][0] for position in pairs(outcome)).startswith(outcome.text)


@pytest.mark.parametrize("setting", [{"logit_bias": ((10**6, 5.0),)}, {"stop_token_ids": (10**6,)}])
def test_a_token_that_the_model_lacks_is_refused(
    vllm_engine: VllmEngine, setting: dict[str, Any]
) -> None:
    refused, good = outcomes(vllm_engine, "short", setting, {})
    assert isinstance(refused, Failed)
    assert refused.message == "token id 1000000 is out of the model's vocabulary"
    assert isinstance(good, Completed)
