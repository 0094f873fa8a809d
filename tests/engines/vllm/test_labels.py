"""The probabilities of labels, by vLLM and by transformers on the same weights."""

import json
import math
from collections.abc import Sequence
from functools import cache
from typing import Any
from unittest import mock

import pytest

from llmbatch.core.errors import EngineError, UsageError
from llmbatch.core.outcomes import Completed, Failed, Outcome
from llmbatch.core.records import Ask, ChatSettings, Message, Request, Sampling
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.vllm import engine as vllm
from llmbatch.engines.vllm.chat_tokenizer import ChatTokenizer
from tests.engines.vllm import session
from tests.engines.vllm.label_sweep import Reference
from tests.engines.vllm.requests import ask

pytestmark = session.needs_vllm

LABELS = ("billing", "refund", "re", "refund_status", "shipping", "technical fault")
TEXTS = ("My invoice is wrong", "Where is my parcel? " * 6, "Send me my money back")
BF16 = 0.06
"""The weights of the shared engine have eight bits; `make verify-labels` compares in float32."""


def asked(
    text: str, labels: Sequence[str] = LABELS, *, whole: bool = False, **other: Any
) -> Request:
    chat = (Message("user", f"Classify the ticket: {text}"),)
    plain = ask(text)
    what = Ask("labels", tuple(labels), whole=whole)
    return Request(plain.key, other.get("messages", chat), Sampling(max_tokens=1), ask=what)


def outcomes(engine: vllm.VllmEngine, requests: Sequence[Request]) -> list[Outcome]:
    found = {outcome.key: outcome for outcome in engine.run(requests)}
    assert len(found) == len(requests)
    return [found[request.key] for request in requests]


def values(outcome: Outcome) -> list[float]:
    assert isinstance(outcome, Completed), outcome
    found: list[float] = json.loads(outcome.text)
    return found


@cache
def reference() -> Reference:
    return Reference(str(session.MODEL))


@pytest.mark.parametrize("way", ["short", "public"])
@pytest.mark.parametrize("whole", [False, True])
def test_labels_are_as_likely_as_transformers_has_them(
    vllm_engine: vllm.VllmEngine, way: str, whole: bool
) -> None:
    requests = [asked(text, whole=whole) for text in TEXTS]
    with session.driven(vllm_engine, way):
        found = [values(outcome) for outcome in outcomes(vllm_engine, requests)]
    for request, measured in zip(requests, found, strict=True):
        assert measured == pytest.approx(reference().scored(request), rel=0.02, abs=BF16)
        assert sum(map(math.exp, measured)) <= 1.001


def test_labels_that_begin_differently_take_one_step(vllm_engine: vllm.VllmEngine) -> None:
    request = asked("hello", ["billing", "shipping and more", "technical fault"])
    with session.sent(vllm_engine) as numbers:
        (outcome,) = outcomes(vllm_engine, [request])
    assert len(numbers) == 1
    assert (outcome.usage.output, outcome.usage.prompt) == (1, len(prompt_of(vllm_engine, request)))


def prompt_of(engine: vllm.VllmEngine, request: Request) -> Sequence[int]:
    tokens = engine.encode(request.messages)
    assert tokens is not None
    return tokens


def test_the_nodes_of_a_tree_share_the_prompt_and_settle_once(vllm_engine: vllm.VllmEngine) -> None:
    request = asked("A long ticket about a parcel that never came. " * 4)
    ordinary = ask("hello")
    with session.sent(vllm_engine) as numbers:
        found = outcomes(vllm_engine, [request, ordinary])
    assert len(numbers) == 3  # the prompt, what follows "refund", and another request
    assert found[0].usage.output == 2
    assert isinstance(found[1], Completed)
    assert vllm_engine._session is not None
    assert not vllm_engine._client.engine.has_unfinished_requests()  # type: ignore[union-attr]


def test_more_labels_than_vllm_tells_at_once_are_measured(vllm_engine: vllm.VllmEngine) -> None:
    tokenizer = vllm_engine._session.tokenizer  # type: ignore[union-attr]
    names = [f"{a}{b}" for a in "bcdfghjklmnprstvw" for b in "aeioubcdfghjk"][:200]
    tree = tokenizer.label_tree([Message("user", "x")], Ask("labels", tuple(names)))
    few = asked("hello", names[:3])
    many = asked("hello", names)
    first, all_of_them = (values(outcome) for outcome in outcomes(vllm_engine, [few, many]))
    assert len(all_of_them) == len(tree.paths) == 200
    assert len(first) == 3
    assert all(math.isfinite(value) and value <= 0 for value in all_of_them)


def test_a_prompt_without_room_for_a_label_is_too_long(vllm_engine: vllm.VllmEngine) -> None:
    (outcome,) = outcomes(vllm_engine, [asked("word " * 400)])
    assert isinstance(outcome, Failed)
    assert outcome.kind == "too_long"
    assert outcome.usage.is_nothing


@pytest.mark.parametrize(
    ("labels", "reason"), [(("a", "a"), "same tokens"), (("a", "<|im_end|>"), "control token")]
)
def test_labels_that_cannot_be_measured_are_refused(
    vllm_engine: vllm.VllmEngine, labels: tuple[str, ...], reason: str
) -> None:
    (outcome,) = outcomes(vllm_engine, [asked("hello", labels)])
    assert isinstance(outcome, Failed)
    assert outcome.kind == "refused_request"
    assert reason in outcome.message


def test_a_part_that_cannot_be_sent_fails_the_request_alone(vllm_engine: vllm.VllmEngine) -> None:
    client = vllm_engine._client
    assert client is not None
    add, calls = client.add, list[str]()

    def failing(number: str, *rest: Any) -> None:
        calls.append(number)
        if len(calls) == 2:
            raise ValueError("no such token")
        add(number, *rest)

    with mock.patch.object(client, "add", failing):
        found = outcomes(vllm_engine, [asked("hello"), ask("another one")])
    assert isinstance(found[0], Failed)
    assert found[0].message == "no such token"
    assert isinstance(found[1], Completed)
    assert client.engine.has_unfinished_requests() is False


def test_what_is_in_flight_is_given_up_whole(vllm_engine: vllm.VllmEngine) -> None:
    run = vllm_engine.run([asked(f"row {number}", whole=True) for number in range(6)])
    next(run)
    run.close()  # type: ignore[attr-defined]
    assert vllm_engine._client.engine.has_unfinished_requests() is False  # type: ignore[union-attr]
    assert len(outcomes(vllm_engine, [asked("after that")])) == 1


def check(ask: Ask, chat: ChatSettings = ChatSettings(), **options: Any) -> None:  # noqa: B008
    config = EngineConfig(str(session.MODEL), session.OPTIONS | options, None, chat, ask=ask)
    vllm.create(config).check_ahead(Sampling(max_tokens=1), None)


def test_a_job_of_labels_is_checked_before_its_engine_starts() -> None:
    check(Ask("labels", LABELS))
    with pytest.raises(UsageError, match="same tokens"):
        check(Ask("labels", ("a", "a")))
    with pytest.raises(UsageError, match="logprobs_mode"):
        check(Ask("labels", LABELS), logprobs_mode="processed_logprobs")
    with pytest.raises(UsageError, match="--thinking on: a label is measured"):
        check(Ask("labels", LABELS), ChatSettings(thinking="on"))


def test_a_model_that_would_think_first_is_refused() -> None:
    own = "{% for m in messages %}{{ m.content }}{% endfor %}"
    thinks = own + "{% if enable_thinking is defined and not enable_thinking %}off{% endif %}"
    chat = [Message("user", "x")]
    what = Ask("labels", LABELS)

    def tried(ask: Ask | None, **settings: Any) -> list[str]:
        made = ChatSettings(thinks, **settings)
        config = EngineConfig(str(session.MODEL), {}, None, made, ask=ask)
        return vllm.create(config).try_chats([chat])

    with pytest.raises(UsageError, match="say --thinking off"):
        tried(what)
    assert tried(what, thinking="off") == []
    assert len(tried(None)) == 1


def chat_tokenizer(template: str | None) -> ChatTokenizer:
    return ChatTokenizer(reference().tokenizer, ChatSettings(template=template))


def own(
    template: str | None, label: str, role: str = "user", content: str = "x"
) -> tuple[int, ...]:
    what = Ask("labels", (label, "zz"), whole=True)
    chat = [Message("user", "x"), Message("prefill", content)] if role == "prefill" else []
    tree = chat_tokenizer(template).label_tree(chat or [Message(role, content)], what)  # type: ignore[arg-type]
    return tree.paths[0][:-1]


def test_a_label_is_encoded_as_it_would_follow_the_prompt() -> None:
    tokenizer = reference().tokenizer

    def ids(text: str) -> tuple[int, ...]:
        return tuple(tokenizer(text, add_special_tokens=False).input_ids)

    plain = ids("billing")
    assert own(None, "billing") == plain
    assert own(None, "billing", "text", "Category:") == plain
    joined = "{{ messages[0].content }} Category: "
    assert own(joined, "billing") == plain  # the blank would become a part of the label
    assert own(None, " billing", "prefill", "Category:") == ids(" billing") != plain


def test_the_end_of_an_answer_is_what_the_template_writes() -> None:
    def end(template: str | None) -> int:
        what = Ask("labels", ("a", "b"), whole=True)
        return chat_tokenizer(template).label_tree([Message("user", "x")], what).paths[0][-1]

    tokenizer = reference().tokenizer
    assert end(None) == tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert end("{% for m in messages %}{{ m.content }} {% endfor %}") == tokenizer.eos_token_id


def test_an_engine_that_is_gone_takes_no_labels() -> None:
    engine = vllm.create(session.config())
    with pytest.raises(EngineError, match="not started"):
        list(engine.run([asked("hello")]))
