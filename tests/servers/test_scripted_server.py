"""The scripted server does what its options say, in the words of servers that there are."""

import base64
import json
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import RemoteDisconnected
from typing import Any

import pytest

from llmbatch.core.outcomes import Completed
from llmbatch.core.records import Constraint, Message, Request, Sampling
from llmbatch.engines.config import EngineConfig
from tests import scripted_engine
from tests.servers.process import ServerProcess, restarting, serving

MESSAGES = [{"role": "user", "content": "one two three"}]


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with serving(usage="full", max_model_len=100, defaults={"top_p": 0.5}) as started:
        yield started


def post(
    server: ServerProcess, path: str, body: dict[str, Any], **headers: str
) -> tuple[int, dict[str, Any], dict[str, str]]:
    request = urllib.request.Request(server.root + path, json.dumps(body).encode(), dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, json.load(reply), dict(reply.headers)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), dict(error.headers)


def chat(server: ServerProcess, text: str = "one two three", **fields: Any) -> tuple[int, Any]:
    body = {"messages": [{"role": "user", "content": text}], "top_p": 1.0, **fields}
    return post(server, "/v1/chat/completions", body)[:2]


def local(text: str, constraint: Constraint | None = None) -> str:
    engine = scripted_engine.create(EngineConfig("scripted"))
    request = Request("0" * 32, (Message("user", text),), Sampling(), constraint)
    outcome = engine.compute(request)
    assert isinstance(outcome, Completed)
    return outcome.text


def test_answers_are_those_of_the_scripted_engine(server: ServerProcess) -> None:
    status, told = chat(server)
    assert status == 200
    assert told["choices"][0]["message"]["content"] == local("one two three")
    assert told["usage"]["prompt_tokens_details"] == {"cached_tokens": 0}
    shape = {"type": "json_schema", "json_schema": {"schema": {"enum": ["a", "b"]}}}
    assert chat(server, response_format=shape)[1]["choices"][0]["message"]["content"] == '"a"'
    told = chat(server, structured_outputs={"regex": "[A-B]{3}"}, guided_choice=["x"])[1]
    assert told["choices"][0]["message"]["content"] == "AAA"


def test_what_is_not_sent_has_the_servers_own_values(server: ServerProcess) -> None:
    told = post(server, "/v1/chat/completions", {"messages": MESSAGES})[1]
    assert told["choices"][0]["message"]["content"].endswith("otherwise")


def test_texts_begin_as_they_are_begun_and_are_cut_where_the_window_ends(
    server: ServerProcess,
) -> None:
    begun = [*MESSAGES, {"role": "assistant", "content": "It is"}]
    body = {"messages": begun, "continue_final_message": True, "add_generation_prompt": False}
    told = post(server, "/v1/chat/completions", {**body, "top_p": 1.0})[1]
    assert told["choices"][0]["message"]["content"].startswith("answer ")
    status, told = chat(server, "word " * 99, max_tokens=50)
    assert (status, told["choices"][0]["finish_reason"]) == (200, "length")
    assert told["usage"]["total_tokens"] == 100
    status, told = chat(server, "word " * 200)
    assert (status, told["error"]["param"]) == (400, "input_tokens")


def test_there_are_two_kinds_of_404(server: ServerProcess) -> None:
    status, told = chat(server, model="other")
    assert (status, told["error"]["type"]) == (404, "NotFoundError")
    with serving(serves=["chat"]) as small:
        status, told, _ = post(small, "/v1/embeddings", {"input": "x"})
        assert (status, told) == (404, {"detail": "Not Found"})


def test_vectors_and_scores(server: ServerProcess) -> None:
    body = {"input": ["one", "two"], "dimensions": 4}
    floats = [one["embedding"] for one in post(server, "/v1/embeddings", body)[1]["data"]]
    coded = post(server, "/v1/embeddings", {**body, "encoding_format": "base64"})[1]["data"]
    assert list(struct.unpack("<4f", base64.b64decode(coded[1]["embedding"]))) == floats[1]
    scored = post(server, "/score", {"queries": "q", "documents": ["a", "b"]})[1]["data"]
    ranked = post(server, "/rerank", {"query": "q", "documents": ["a", "b"]})[1]["results"]
    assert {one["index"]: one["relevance_score"] for one in ranked} == {
        one["index"]: one["score"] for one in scored
    }
    assert len(post(server, "/classify", {"input": "x"})[1]["data"][0]["probs"]) == 3


def test_a_key_is_demanded() -> None:
    with serving(key="right", tells_key=True) as server:
        assert chat(server)[0] == 401
        body = {"messages": MESSAGES}
        refused = post(server, "/v1/chat/completions", body, Authorization="Bearer wrong")
        assert (refused[0], refused[1]["error"]["message"]) == (
            401, "Incorrect API key provided: wrong"
        )  # fmt: skip
        assert post(server, "/v1/chat/completions", body, Authorization="Bearer right")[0] == 200


def test_limits_are_told() -> None:
    with serving(rate=5, burst=2, rate_headers=True, strict=True) as server:
        assert [chat(server)[0] for _ in range(3)] == [200, 200, 429]
        status, _, headers = post(server, "/v1/chat/completions", {"messages": MESSAGES})
        assert (status, headers["Retry-After"]) == (429, "1")
        assert headers["x-ratelimit-remaining-requests"] == "0"
        assert server.seen()["statuses"] == {"200": 2, "429": 2}
    with serving(strict=True) as server:
        assert chat(server, top_k=3)[0] == 400


def test_it_ends_as_servers_do_and_can_be_started_again() -> None:
    with serving(ends_at=1) as server, restarting(server) as again:
        assert chat(server)[0] == 200
        status, told = chat(server)
        assert status == 500
        assert told["error"]["message"].startswith("EngineCore encountered an issue")
        server.process.wait(5)
        while not again:
            time.sleep(0.01)
        assert chat(again[0])[0] == 200
    with serving() as server:
        with pytest.raises((RemoteDisconnected, ConnectionError)):
            chat(server, "KILL")
        assert server.process.wait(5) == 1
        with pytest.raises(urllib.error.URLError):
            chat(server)
