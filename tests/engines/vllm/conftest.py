"""Fixtures of the engine tests."""

from collections.abc import Iterator

import pytest

from llmbatch.engines.vllm.engine import VllmEngine
from tests.engines.vllm import session


@pytest.fixture(scope="session")
def ended() -> Iterator[None]:
    """Ends the session's vLLM after the last test."""
    yield
    session.stop()


@pytest.fixture
def vllm_engine(ended: None) -> VllmEngine:
    """The session's vLLM, running: it may have been stopped since the test before."""
    return session.started()[0]
