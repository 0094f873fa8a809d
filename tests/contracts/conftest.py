"""The fixtures that start the engines under test."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from llmbatch.core import clock
from llmbatch.core.records import Ask
from llmbatch.engines.base import Engine
from llmbatch.engines.config import EngineConfig, Servers
from llmbatch.engines.http.engine import WINDOW_FACTOR
from llmbatch.engines.parts import HasParts
from llmbatch.engines.registry import load
from llmbatch.engines.replicas.count import ReplicaCount
from llmbatch.engines.vllm.engine import VllmEngine
from tests.contracts import minimal_engine
from tests.contracts.ask_clauses import Asked
from tests.contracts.subjects import (
    CONTEXT,
    KNOWN,
    MARKS,
    MINIMAL,
    OPENAI,
    REPLICAS,
    SCRIPTED,
    VLLM,
    Knows,
    Subject,
    with_options,
)
from tests.engines.ray.two_nodes import TwoNodes, started
from tests.engines.vllm import session
from tests.engines.vllm.requests import ask
from tests.servers.process import ServerProcess, serving

two_nodes = pytest.fixture(scope="module")(started)


SETTINGS = {"window": 8, "max_model_len": CONTEXT, "order": "shuffle"}


def _subject(
    engine: Engine,
    create: Callable[[EngineConfig], Engine],
    config: EngineConfig,
    window: int,
    knows: Knows,
) -> Subject:
    """A scripted engine, or several of them as one."""
    alike, other = ({"window": 3}, {"variant": "other"})
    return Subject(
        engine,
        create,
        config,
        window,
        with_options(config, alike),
        with_options(config, other),
        knows,
    )


@pytest.fixture(scope="module")
def scripted() -> Iterator[Subject]:
    config = EngineConfig("scripted", SETTINGS)
    create = load("tests.scripted_engine:create")
    with create(config) as engine:
        yield _subject(engine, create, config, 8, SCRIPTED)


@pytest.fixture(scope="module")
def replicas() -> Iterator[Subject]:
    """Two scripted engines in processes of their own."""
    config = EngineConfig("scripted", SETTINGS, replicas=ReplicaCount(2, 2))
    create = load("tests.scripted_engine:create")
    with create(config) as engine:
        wait_for_all(engine)
        yield _subject(engine, create, config, 16, REPLICAS)


def wait_for_all(engine: Engine) -> None:
    """Let runs pass until all replicas have started: a fleet works with the first one."""
    assert isinstance(engine, HasParts)
    told, until = 0, clock.seconds() + 30
    while told < 2:
        assert clock.seconds() < until
        list(engine.run([ask("wait")]))
        told += sum(event.name == "replica_started" for event in engine.part_events())


@pytest.fixture(scope="module")
def minimal() -> Iterator[Subject]:
    config = EngineConfig("minimal")
    alike, other = EngineConfig("minimal", log_path="elsewhere"), EngineConfig("other")
    create = load("tests.contracts.minimal_engine:create")
    with create(config) as engine:
        yield Subject(engine, create, config, minimal_engine.WINDOW, alike, other, MINIMAL)


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with serving(models=["scripted", "other"], max_model_len=CONTEXT, usage="full") as started:
        yield started


@pytest.fixture(scope="module")
def openai(server: ServerProcess) -> Iterator[Subject]:
    """A client of one server."""
    most = 4
    config = EngineConfig(
        "scripted", {"max_concurrency": most}, servers=Servers((server.url,)), stall_timeout=5
    )
    alike, other = with_options(config, {"patience": 1.0}), replace(config, model="other")
    create = load("openai")
    with create(config) as engine:
        window = WINDOW_FACTOR * most
        yield Subject(engine, create, config, window, alike, other, OPENAI)


@pytest.fixture
def vllm() -> Subject:
    """The session's vLLM: other tests may have stopped it since the test before."""
    engine, config = session.started()
    alike = with_options(config, {"block-size": "64"})
    other = with_options(config, {"dtype": "float32"})
    return Subject(engine, load("vllm"), config, session.WINDOW, alike, other, VLLM)


@pytest.fixture(scope="module")
def ray(two_nodes: TwoNodes) -> Iterator[Subject]:
    # It holds the cores of two nodes; tests that start another one need those of others.
    two_nodes.join(), two_nodes.join()
    wished = ReplicaCount(2, 2)
    config = EngineConfig("scripted", SETTINGS, replicas=wished, address=two_nodes.address)
    create = load("ray:tests.scripted_engine:create")
    with create(config) as engine:
        yield _subject(engine, create, config, 16, SCRIPTED)


@pytest.fixture
def vllm_public(vllm: Subject) -> Iterator[Subject]:
    """The same vLLM, driven by its own `add_request` and `step`."""
    assert isinstance(vllm.running, VllmEngine)
    with session.driven(vllm.running, "public"):
        yield vllm


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, ())) for name in KNOWN])
def subject(request: pytest.FixtureRequest) -> Subject:
    made: Subject = request.getfixturevalue(request.param)
    return made


LABELS = Ask("labels", labels=("yes", "no", "not sure"))
# By the name of the fixture: what must be there for it.
ASKED: Mapping[str, Any] = {
    "scripted_labels": (),
    "scripted_embed": (),
    "scripted_score": (),
    "scripted_heads": (),
    "openai_labels": (),
    "openai_embed": (),
    "openai_score": (),
    "openai_heads": (),
    "vllm_labels": session.needs_vllm,
    "vllm_public_labels": session.needs_vllm,
}


def _scripted(ask: Ask, width: int) -> Iterator[Asked]:
    config = EngineConfig("scripted", {"window": 8, "max_model_len": CONTEXT}, ask=ask)
    with load("tests.scripted_engine:create")(config) as engine:
        yield Asked(engine, ask, width)


@pytest.fixture
def scripted_labels() -> Iterator[Asked]:
    yield from _scripted(LABELS, 3)


@pytest.fixture
def scripted_embed() -> Iterator[Asked]:
    yield from _scripted(Ask("embed"), 8)


@pytest.fixture
def scripted_score() -> Iterator[Asked]:
    yield from _scripted(Ask("score"), 1)


@pytest.fixture
def scripted_heads() -> Iterator[Asked]:
    yield from _scripted(Ask("heads"), 3)


def _over_http(server: ServerProcess, ask: Ask, width: int) -> Iterator[Asked]:
    config = EngineConfig("scripted", ask=ask, servers=Servers((server.url,)))
    with load("openai")(config) as engine:
        yield Asked(engine, ask, width)


@pytest.fixture
def openai_labels(server: ServerProcess) -> Iterator[Asked]:
    yield from _over_http(server, LABELS, 3)


@pytest.fixture
def openai_embed(server: ServerProcess) -> Iterator[Asked]:
    yield from _over_http(server, Ask("embed"), 8)


@pytest.fixture
def openai_score(server: ServerProcess) -> Iterator[Asked]:
    yield from _over_http(server, Ask("score"), 1)


@pytest.fixture
def openai_heads(server: ServerProcess) -> Iterator[Asked]:
    yield from _over_http(server, Ask("heads"), 3)


@pytest.fixture
def vllm_labels(vllm: Subject) -> Asked:
    return Asked(vllm.running, LABELS, 3)


@pytest.fixture
def vllm_public_labels(vllm_public: Subject) -> Asked:
    return Asked(vllm_public.running, LABELS, 3)
