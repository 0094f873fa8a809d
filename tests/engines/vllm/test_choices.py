"""Answers to choices that end once one text is left, against those that are drawn to their end."""

import contextlib
import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from llmbatch.core.outcomes import Completed, Failed
from llmbatch.core.records import Request
from llmbatch.engines.vllm.early_end import EarlyEnd
from llmbatch.engines.vllm.engine import VllmEngine
from tests.engines.vllm import session
from tests.engines.vllm.requests import ask, choice

pytestmark = session.needs_vllm

BEGINNINGS = ["", "re", "ref", "refund", "ca", "naï", "b", "10 "]
SAMPLINGS: Sequence[Mapping[str, Any]] = (
    {},
    {"temperature": 1.0, "seed": 5, "top_p": 0.9, "min_p": 0.01},
    {"presence_penalty": 1.5, "repetition_penalty": 1.3, "repetition": 8},
)
ENDINGS = ["", "s", "fund", "ncel order", "ve", "illing question", " €", "é", "è", "bb"]


@contextlib.contextmanager
def drawn_to_the_end(engine: VllmEngine) -> Iterator[None]:
    assert engine._session is not None
    with mock.patch.object(engine._session, "early_end", EarlyEnd(lambda: None)):
        yield


def sets_of_texts() -> list[tuple[str, ...]]:
    """Texts that share beginnings, some of them the beginning of others."""
    chance = random.Random(11)
    made = [one + other for one, other in itertools.product(BEGINNINGS, ENDINGS) if one + other]
    return [tuple(chance.sample(made, chance.randrange(1, 7))) for _ in range(12)]


def answers_of(engine: VllmEngine, asked: Sequence[Request]) -> dict[str, tuple[str, int]]:
    outcomes = [outcome for outcome in engine.run(asked) if isinstance(outcome, Completed)]
    assert {outcome.finish_reason for outcome in outcomes} == {"stop"}
    return {outcome.key: (outcome.text, outcome.usage.output) for outcome in outcomes}


@pytest.mark.parametrize("way", ["short", "public"])
def test_the_answers_are_those_that_are_drawn_to_their_end(
    vllm_engine: VllmEngine, way: str
) -> None:
    with session.driven(vllm_engine, way):
        asked = [
            ask(f"Ticket {n}: {texts}", choice(*texts), max_tokens=40, **SAMPLINGS[n % 3])
            for n, texts in enumerate(sets_of_texts())
        ]
        before = vllm_engine.telemetry()
        early = answers_of(vllm_engine, asked)
        spared = vllm_engine.telemetry().spared_tokens - before.spared_tokens
        with drawn_to_the_end(vllm_engine):
            full = answers_of(vllm_engine, asked)
    assert {key: text for key, (text, _) in early.items()} == {
        key: text for key, (text, _) in full.items()
    }
    fewer = sum(tokens for _, tokens in full.values()) - sum(n for _, n in early.values())
    assert 0 < spared <= fewer


LONG = tuple(f"the answer is {text}" for text in ("a refund of all", "a rebate", "none of them"))


def test_a_settled_answer_is_taken_back(vllm_engine: VllmEngine) -> None:
    """The limit alone would let it go on: only single bytes settle nothing before it."""
    asked = [ask(f"Ticket {n}", choice(*LONG), max_tokens=40) for n in range(6)]
    tokens, texts = {}, {}
    for way in ("short", "public"):
        with session.driven(vllm_engine, way):
            made = answers_of(vllm_engine, asked)
        texts[way] = [made[request.key][0] for request in asked]
        tokens[way] = sum(made[request.key][1] for request in asked)
    assert texts["short"] == texts["public"]
    assert tokens["short"] < tokens["public"]
    assert vllm_engine._client is not None
    assert vllm_engine._client.engine.get_num_unfinished_requests() == 0
    assert not vllm_engine._client.channel._is_settled  # type: ignore[union-attr]


def test_a_limit_that_settles_nothing_cuts_the_answer(vllm_engine: VllmEngine) -> None:
    (cut,) = vllm_engine.run([ask("hello", choice("aaaa" + "b" * 30, "aaaa"), max_tokens=1)])
    assert isinstance(cut, Completed)
    assert cut.finish_reason == "length"


def test_a_limit_that_settles_the_answer_does_not_cut_it(vllm_engine: VllmEngine) -> None:
    """Although the whole of it would have more tokens."""
    texts = ("billing of last year", "refund of last year")
    (made,) = vllm_engine.run([ask("hello", choice(*texts), max_tokens=1)])
    assert isinstance(made, Completed)
    assert (made.text in texts, made.finish_reason, made.usage.output) == (True, "stop", 1)


def test_a_stop_string_cuts_the_answer_as_it_would_else(vllm_engine: VllmEngine) -> None:
    asked = ask("hello", choice("refund", "rebate"), max_tokens=20, stop=("e",))
    (made,) = vllm_engine.run([asked])
    assert isinstance(made, Completed)
    assert made.text == "r"


def test_the_tokens_of_thinking_are_no_pieces_of_the_answer(vllm_engine: VllmEngine) -> None:
    """A thinking request has no limit but its own; its answer is drawn to the end."""
    assert vllm_engine._session is not None
    thinks = SimpleNamespace(
        is_over=lambda prompt: False,
        part=lambda ids, text, stopped: SimpleNamespace(tokens=0, answer=None),
    )
    with mock.patch.object(vllm_engine._session, "reasoning", thinks):
        (made,) = vllm_engine.run([ask("hello", choice("billing", "refund"), max_tokens=20)])
    assert isinstance(made, Failed)
    assert (made.kind, made.finish_reason) == ("unfinished_thinking", "stop")
    assert made.usage.output > 1
