"""A run through 41 % of trouble and a rate limit: each row once, and the limit used."""

from tests.servers import chaotic
from tests.servers.process import serving

TIMEOUT = 0.8


def test_each_row_is_answered_once_and_the_limit_is_used() -> None:
    with serving(latency=0.02) as server:
        found = chaotic.run(server, "scripted", 100, rate=25, seed=3, timeout=TIMEOUT)
    assert set(found.outcomes.values()) == {1}
    assert len(found.outcomes) == 100
    assert len(found.happened) >= 6, found.happened
    # A few seconds on a busy machine; `make chaos` asks for 0.9 and 1.15 of a long run.
    assert found.used >= 0.75, found
    ideal = found.seconds / found.ratio
    assert found.seconds <= 1.3 * ideal + 3 * TIMEOUT, found
