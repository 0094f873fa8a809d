"""Fixtures of the engine tests."""

import pytest

from llmbatch.engines.vllm.engine import VllmEngine
from tests.engines.vllm import session


@pytest.fixture
def vllm_engine() -> VllmEngine:
    """The session's vLLM, running: it may have been stopped since the test before."""
    return session.started()[0]
