"""vLLM's own server, on the CPU, with the bundled model: the answers of an engine here.

Two starts of the server take minutes: it is `make verify-server`, and no part of `make test`.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from llmbatch.core.outcomes import Completed, Lost, Outcome
from llmbatch.core.records import Ask, Request
from llmbatch.engines.base import Engine
from llmbatch.engines.config import EngineConfig, Servers
from llmbatch.engines.http.engine import HttpEngine, create
from tests.contracts.conftest import LABELS
from tests.engines.vllm import session
from tests.engines.vllm.requests import ask, choice, schema
from tests.servers import vllm_server
from tests.servers.process import ServerProcess

IS_ASKED = bool(os.environ.get("LLMBATCH_VERIFY_SERVER"))
pytestmark = [
    *session.needs_vllm,
    pytest.mark.skipif(not IS_ASKED, reason="vLLM's server is started by make verify-server"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with vllm_server.serving() as started:
        yield started


@pytest.fixture(scope="module")
def local() -> Engine:
    return session.started()[0]


def client(server: ServerProcess, ask: Ask | None = None, **options: object) -> HttpEngine:
    servers = Servers((server.url,))
    return create(EngineConfig(vllm_server.NAME, options, ask=ask, servers=servers))


def answers(engine: Engine, requests: Sequence[Request]) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    for event in engine.run(iter(requests)):
        assert not isinstance(event, Lost)
        assert event.key not in found
        found[event.key] = event
    return found


def asked() -> list[Request]:
    constraints = [None, choice("refund", "billing"), schema(a={"type": "boolean"})]
    return [
        ask(f"Ticket {number}: my parcel is late", constraints[number % 3], max_tokens=24)
        for number in range(24)
    ]


def test_answers_are_those_of_the_engine_here(server: ServerProcess, local: Engine) -> None:
    requests = asked()
    here = answers(local, requests)
    with client(server) as engine:
        there = answers(engine, requests)
        for request in requests:
            one, other = here[request.key], there[request.key]
            assert isinstance(one, Completed)
            assert isinstance(other, Completed), other
            assert (other.text, other.finish_reason) == (one.text, one.finish_reason)
            assert other.usage.prompt == one.usage.prompt
            # An engine here ends a choice once one is left, a server writes it out.
            is_choice = request.constraint is not None and request.constraint.kind == "choice"
            assert is_choice or other.usage.output == one.usage.output
            assert engine.encode(request.messages) == local.encode(request.messages)
        too_long = answers(engine, [ask("word " * 600)])
        assert [getattr(one, "kind", None) for one in too_long.values()] == ["too_long"]


def test_labels_are_as_likely_as_for_the_engine_here(server: ServerProcess, local: Engine) -> None:
    for labels in (LABELS, Ask("labels", labels=("refund now", "refund later", "billing"))):
        requests = [
            Request(one.key, one.messages, one.sampling, ask=labels)
            for one in (ask(f"Ticket {number}: where is it?") for number in range(4))
        ]
        here = answers(local, requests)
        with client(server, labels) as engine:
            there = answers(engine, requests)
        for key, outcome in here.items():
            found = there[key]
            assert isinstance(outcome, Completed)
            assert isinstance(found, Completed), found
            assert json.loads(found.text) == pytest.approx(json.loads(outcome.text), abs=0.05)
            assert found.usage.prompt == outcome.usage.prompt


def test_a_server_that_is_ended_and_comes_again_loses_nothing(
    server: ServerProcess, local: Engine
) -> None:
    requests = [ask(f"Ticket {number}: my parcel is late", max_tokens=60) for number in range(120)]
    here = answers(local, requests)
    made: list[ServerProcess] = []

    def again() -> None:
        time.sleep(1.0)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(60)
        made.append(vllm_server.start(server.port))

    restart = threading.Thread(target=again)
    found: dict[str, Outcome] = {}
    with client(server, patience=300.0, max_concurrency=8) as engine:
        restart.start()
        lost: list[str] = []
        for event in engine.run(iter(requests)):
            if isinstance(event, Lost):
                lost.extend(event.keys)
            else:
                assert event.key not in found
                found[event.key] = event
        again_requests = [request for request in requests if request.key in lost]
        found |= answers(engine, again_requests)
    restart.join()
    made[0].process.terminate()
    made[0].process.wait(60)
    texts = {key: getattr(one, "text", one) for key, one in found.items()}
    assert texts == {key: getattr(one, "text", None) for key, one in here.items()}
