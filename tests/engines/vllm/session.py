"""One vLLM for all tests of a session, in this process: that starts in seconds."""

import contextlib
import functools
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest import mock

import pytest

from llmbatch.engines.config import EngineConfig
from llmbatch.engines.vllm import engine as vllm
from llmbatch.engines.vllm.public_way import PublicWay
from llmbatch.engines.vllm.short_way import ShortWay

ROOT = Path(__file__).parents[3]
MODEL = Path(os.environ.get("LLMBATCH_TEST_MODEL", ROOT / "samples" / "model"))
OPTIONS = {
    "enforce_eager": True,
    "max_num_seqs": 4,
    "max_model_len": 256,
    "kv_cache_memory_bytes": 64 << 20,
    # A small model may else write white space until its tokens are used up.
    "structured_outputs_config": {"disable_any_whitespace": True},
}
WINDOW = 8
MARKED = "tests.engines.vllm.marked.Worker"
"""As `worker_cls`: a worker that fails at marked requests."""


def has_vllm() -> bool:
    return importlib.util.find_spec("vllm") is not None


needs_vllm = [
    pytest.mark.engine,
    pytest.mark.skipif(not has_vllm(), reason="vLLM is not installed"),
    pytest.mark.skipif(not (MODEL / "config.json").exists(), reason="no sample model"),
]


def config(**options: object) -> EngineConfig:
    log = Path(mkdtemp(prefix="llmbatch-test-")) / "run.log"
    return EngineConfig(str(MODEL), OPTIONS | options, str(log))


@contextlib.contextmanager
def driven(engine: vllm.VllmEngine, way: str) -> Iterator[vllm.VllmEngine]:
    """The running engine, driven the "public" way meanwhile, or the short one."""
    client, session = engine._client, engine._session
    assert client is not None
    assert session is not None
    former = client.channel
    public = way == "public"
    made = PublicWay(client.engine, client.stats) if public else ShortWay(client.engine)
    client.channel = made
    # Its templates are for one way.
    session.parameters.make.cache_clear()
    session.parameters.measure.cache_clear()
    try:
        yield engine
    finally:
        client.channel = former
        session.parameters.make.cache_clear()
        session.parameters.measure.cache_clear()


@functools.cache
def started() -> tuple[vllm.VllmEngine, EngineConfig]:
    """The engine, started when first asked for, and what it was made from."""
    made_from = config()
    engine = vllm.create(made_from)
    environment = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "1"}
    with mock.patch.dict(os.environ, environment):
        engine.__enter__()
    return engine, made_from


def stop() -> None:
    if started.cache_info().currsize:
        started()[0].close()
        started.cache_clear()


@contextlib.contextmanager
def sent(engine: vllm.VllmEngine) -> Iterator[list[str]]:
    """The numbers of the requests that go to the engine core meanwhile, whichever way."""
    assert engine._client is not None
    core, numbers = engine._client.engine.engine_core, list[str]()
    send = core.add_request

    def add_request(request: Any) -> None:
        numbers.append(request.request_id)
        send(request)

    with mock.patch.object(core, "add_request", add_request):
        yield numbers
