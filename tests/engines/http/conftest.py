"""The server that most tests of this room share."""

from collections.abc import Iterator

import pytest

from tests.servers.process import ServerProcess, serving


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    with serving(models=["scripted"], max_model_len=256, usage="full") as running:
        yield running
