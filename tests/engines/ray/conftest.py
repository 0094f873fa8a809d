"""One cluster of two nodes for all tests of this worker: two raylets on loopback."""

import pytest

from tests.engines.ray.two_nodes import started

two_nodes = pytest.fixture(scope="session")(started)
