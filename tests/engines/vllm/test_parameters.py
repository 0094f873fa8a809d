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
        assert single[0][0] == position[0][0]
        assert single[0][1] == pytest.approx(position[0][1], abs=1e-3)
    assert "".join(position[0][0] for position in pairs(several)).startswith(plain.text)


@pytest.mark.parametrize("way", ["short", "public"])
def test_a_bias_and_other_ends_of_an_answer(vllm_engine: VllmEngine, way: str) -> None:
    (plain,) = outcomes(vllm_engine, way, {"logprobs": 0})
    said, firsts = plain.text or "", _spelled(vllm_engine, pairs(plain)[0][0][0])
    biased, ended, kept, longer = outcomes(
        vllm_engine,
        way,
        {"logit_bias": tuple((token, -100.0) for token in firsts), "logprobs": 0},
        {"stop_token_ids": firsts},
        {"stop": (said[:1],), "include_stop": True},
        {"max_tokens": 40, "min_tokens": 40},
    )
    assert pairs(biased)[0][0][0] != pairs(plain)[0][0][0]
    assert (ended.text, ended.finish_reason, ended.usage.output) == ("", "stop", 1)
    assert kept.text == said[:1]
    assert (longer.usage.output, longer.finish_reason) == (40, "length")


def _spelled(engine: VllmEngine, text: str) -> tuple[int, ...]:
    """The tokens that read so."""
    assert engine._client is not None
    tokenizer = engine._client.engine.get_tokenizer()
    return tuple(token for token in range(len(tokenizer)) if tokenizer.decode([token]) == text)


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
