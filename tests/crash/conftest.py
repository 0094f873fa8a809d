"""The fixtures of the crash tests."""

from collections.abc import Iterator

import pytest

from tests.crash.tracer import Tracer


@pytest.fixture(scope="session")
def tracer() -> Iterator[Tracer]:
    """Forks runs that can be watched and killed. Skips where Linux does not allow that."""
    with Tracer() as tracer:
        if tracer.obstacle is not None:
            pytest.skip(tracer.obstacle)
        yield tracer
