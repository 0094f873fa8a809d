"""Faults of servers in a run: each row is answered once, and none is charged with them."""

import pytest

from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Completed, Failed, Lost
from tests.engines.http.starting import answered, engine
from tests.engines.vllm.requests import ask
from tests.servers.process import chaos, restarting, serving


def test_errors_cut_bodies_and_wrong_answers_cost_no_row() -> None:
    faults = {"errors": 0.15, "hung": 0.02, "truncated": 0.1, "garbage": 0.1, "retry_after": "none"}
    with (
        serving() as server,
        chaos(server, **faults) as proxy,
        engine(proxy.url, timeout=0.5) as running,
    ):
        found = answered(running, *(ask(f"row {number}") for number in range(150)))
        assert all(isinstance(one, Completed) for one in found.values())
        assert sum(proxy.seen()["happened"].values()) > 150


def test_a_server_that_is_killed_and_comes_again_loses_nothing() -> None:
    requests = [ask(f"row {number}") for number in range(300)]
    with serving(latency=0.02) as server, restarting(server, after=0.1) as again:
        with engine(server.url) as running:
            found = []
            for event in running.run(requests):
                found.append(event)
                if len(found) == 50:
                    server.process.kill()
        assert again
    assert all(isinstance(one, Completed) for one in found)
    assert len(found) == len(requests)


def test_one_of_two_servers_that_ends_leaves_its_rows_to_the_other() -> None:
    requests = [ask(f"row {number}") for number in range(200)]
    with (
        serving(latency=0.01, ends_at=50) as first,
        serving(latency=0.01) as second,
        engine(first.url, second.url) as running,
    ):
        found = answered(running, *requests)
        assert second.seen()["answered"] >= 100
    assert all(isinstance(one, Completed) for one in found.values())


def test_without_any_server_for_long_the_engine_is_gone() -> None:
    with serving(latency=0.02) as server, engine(server.url, patience=0.3) as running:
        outcomes = running.run(ask(f"row {number}") for number in range(5000))
        next(outcomes)
        server.kill()
        with pytest.raises(EngineError, match=r"engine died: no server answers for 0\.3 s"):
            list(outcomes)


def test_a_request_that_ends_server_after_server_is_lost_and_not_failed() -> None:
    with serving() as server, restarting(server), engine(server.url) as running:
        lost = next(event for event in running.run([ask("KILL")]) if isinstance(event, Lost))
    assert lost.reason.endswith("ended")


def test_a_row_that_always_gets_an_error_fails_alone() -> None:
    bad, good = ask("FAIL:server_error"), [ask(f"row {number}") for number in range(100)]
    with serving() as server, engine(server.url) as running:
        found = answered(running, bad, *good)
    assert isinstance(found[bad.key], Failed)
    assert all(isinstance(found[one.key], Completed) for one in good)
