"""Fixtures of the engine tests."""

from collections.abc import Iterator

import pytest

from llmbatch.engines.vllm.engine import VllmEngine
from tests.engines.vllm import session


@pytest.fixture(scope="session")
def vllm_engine() -> Iterator[VllmEngine]:
    """The session's vLLM, running."""
    yield session.started()[0]
    session.stop()
