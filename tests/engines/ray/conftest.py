"""One cluster of two nodes for the tests of this room: two raylets on loopback.

It ends with the room: the processes of a cluster that nobody uses take a twentieth of a core."""

import pytest

from tests.engines.ray.two_nodes import started

two_nodes = pytest.fixture(scope="package")(started)
