"""Vectors, scores, classes and labels of servers: what is asked, told, and refused."""

import base64
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from llmbatch.core.errors import EngineError, UsageError
from llmbatch.core.outcomes import Completed, Failed, Outcome, Usage
from llmbatch.core.records import Ask, Message, Request, Role, Sampling
from llmbatch.engines.config import EngineConfig, Servers
from llmbatch.engines.http.engine import HttpEngine, create
from tests import scripted_answers
from tests.servers.process import ServerProcess, serving


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with serving(max_model_len=50, usage="full") as started:
        yield started


def request(ask: Ask, *texts: str) -> Request:
    roles: tuple[Role, ...] = {"score": ("query", "document"), "labels": ("user",)}.get(  # type: ignore[assignment]
        ask.kind, ("text",)
    )
    messages = tuple(Message(*pair) for pair in zip(roles, texts, strict=True))
    return Request("a" * 32, messages, Sampling(max_tokens=1), ask=ask)


@contextmanager
def asking(server: ServerProcess, ask: Ask, **options: Any) -> Iterator[HttpEngine]:
    config = EngineConfig("scripted", options, ask=ask, servers=Servers((server.url,)))
    with create(config) as engine:
        yield engine


def answer(server: ServerProcess, ask: Ask, *texts: str, **options: Any) -> Outcome:
    with asking(server, ask, **options) as engine:
        (outcome,) = engine.run([request(ask, *texts)])
        assert not hasattr(outcome, "keys")
        return outcome


def text(outcome: Outcome) -> str:
    assert isinstance(outcome, Completed), outcome
    return outcome.text


def floats(packed: str) -> list[float]:
    raw = base64.b64decode(packed)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


@pytest.mark.parametrize(
    ("ask", "texts"),
    [
        (Ask("embed", dimensions=5), ["a parcel is late"]),
        (Ask("embed"), ["a parcel is late"]),
        (Ask("score"), ["late?", "a parcel is late"]),
        (Ask("heads"), ["a parcel is late"]),
        (Ask("labels", labels=("yes", "no")), ["is a parcel late?"]),
    ],
)
def test_answers_are_those_of_a_local_engine(
    server: ServerProcess, ask: Ask, texts: list[str]
) -> None:
    assert text(answer(server, ask, *texts)) == scripted_answers.asked(request(ask, *texts), ask)


def test_labels_that_begin_alike_take_a_second_call(server: ServerProcess) -> None:
    ask = Ask("labels", labels=("not now", "not ever", "yes"))
    before = len(server.seen()["bodies"])
    outcome = answer(server, ask, "is a parcel late?")
    first, now, second = json.loads(text(outcome))
    assert first != now != second
    assert outcome.usage == Usage(prompt=4, output=2)
    paths = [body for body in server.seen()["bodies"][before:] if "logprob_token_ids" in body]
    assert ["messages" in body for body in paths] == [True, True, False]


def test_a_vector_is_normalised_here_if_it_is_asked_for(server: ServerProcess) -> None:
    vector = floats(text(answer(server, Ask("embed", normalize=True), "one")))
    assert sum(value * value for value in vector) == pytest.approx(1)
    with pytest.raises(EngineError, match="--no-normalize"):
        answer(server, Ask("embed", normalize=False), "one")


def test_a_text_that_is_too_long_fails_or_is_cut(server: ServerProcess) -> None:
    long = " ".join(["word"] * 70)
    failed = answer(server, Ask("embed"), long)
    assert isinstance(failed, Failed)
    assert failed.kind == "too_long"
    cut = json.loads(text(answer(server, Ask("embed", overflow="truncate"), long)))
    whole = json.loads(text(answer(server, Ask("embed", overflow="truncate"), "short")))
    assert (cut["cut"], whole["cut"]) == (20, 0)
    assert floats(cut["vector"]) == floats(
        text(answer(server, Ask("embed"), " ".join(["word"] * 49)))
    )


def test_the_kind_of_scores_is_found_out() -> None:
    with serving(scores="sigmoid") as server, asking(server, Ask("score")) as engine:
        assert engine.pooling() is not None
        assert engine.pooling().output == "sigmoid"  # type: ignore[union-attr]
        assert engine.describe().settings["pooling"]["sources"] == {"output": "the server's answer"}


def test_a_server_of_another_kind_is_asked_to_rerank() -> None:
    with serving(kind="other", tells_context=False) as server:
        ask, texts = Ask("score"), ["late?", "a parcel is late"]
        found = floats(text(answer(server, ask, *texts)))
        wanted = floats(scripted_answers.asked(request(ask, *texts), ask))
        assert found == pytest.approx(wanted)
        with pytest.raises(EngineError, match="--choice"):
            answer(server, Ask("labels", labels=("yes", "no")), "late?")
        with pytest.raises(EngineError, match="--choice"):
            answer(server, Ask("heads"), "late?")


def test_a_server_that_ignores_the_question_is_refused() -> None:
    with (
        serving(honours=["response_format"]) as server,
        pytest.raises(EngineError, match="--choice"),
    ):
        answer(server, Ask("labels", labels=("yes", "no")), "late?")
    with serving(cuts=False) as server, pytest.raises(EngineError, match="--dimensions 5"):
        answer(server, Ask("embed", dimensions=5), "one")


def test_a_model_of_another_kind_is_named() -> None:
    words = r"404.*for /embeddings: the model there is not of"
    with serving(serves=["chat"]) as server, pytest.raises(EngineError, match=words):
        answer(server, Ask("embed"), "one")


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (Ask("embed", pooling="mean"), "--pooling"),
        (Ask("embed", prompt_name="query"), "--prompt-name"),
        (Ask("embed", overflow="split"), "--overflow split"),
        (Ask("score", overflow="truncate"), "--overflow truncate"),
    ],
)
def test_what_no_server_is_asked_is_refused_before_the_start(ask: Ask, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        create(EngineConfig("m", ask=ask, servers=Servers(("http://localhost:1/v1",))))


def test_blank_texts_are_not_sent(server: ServerProcess) -> None:
    failed = answer(server, Ask("embed"), "  ")
    assert isinstance(failed, Failed)
    assert "blank" in failed.message
