"""One cluster of two nodes for all tests of this worker: two raylets on loopback."""

from collections.abc import Iterator

import pytest

from tests.engines.ray.two_nodes import TwoNodes


@pytest.fixture(scope="session")
def two_nodes() -> Iterator[TwoNodes]:
    pytest.importorskip("ray", reason="Ray is not installed: it has no wheel for this Python")
    with TwoNodes() as nodes:
        yield nodes
