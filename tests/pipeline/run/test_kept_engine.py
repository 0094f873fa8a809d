"""An engine that outlives a run: the next one finds it running, and its counters at zero."""

import threading
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Completed
from llmbatch.core.records import Ask, Constraint, Message, Request, Sampling
from llmbatch.engines.config import EngineConfig, Servers
from llmbatch.engines.replicas.count import ReplicaCount
from llmbatch.pipeline.run.kept_engine import EngineKeeper, EngineUse, Lease
from tests import scripted_engine


class Bench:
    """A keeper of scripted engines, which counts their starts."""

    def __init__(self) -> None:
        self.keeper = EngineKeeper()

    def lease(self, constraint: Constraint | None = None, **options: Any) -> Lease:
        config = EngineConfig("m", options, constraint=constraint)
        return self.keeper.lease(
            EngineUse("scripted", config), lambda: scripted_engine.create(config), "a job"
        )


def answered(lease: Lease, *texts: str) -> list[str]:
    requests = [
        Request(f"{place:032x}", (Message("user", text),), Sampling())
        for place, text in enumerate(texts, 1)
    ]
    with lease as engine:
        outcomes = list(engine.run(requests))
    return [one.text for one in outcomes if isinstance(one, Completed)]


@pytest.fixture
def bench() -> Any:
    bench = Bench()
    yield bench
    bench.keeper.close()


def test_the_second_run_finds_it_running_and_counts_from_zero(bench: Bench) -> None:
    first = bench.lease(answer="echo")
    assert answered(first, "a", "b") == ["a", "b"]
    assert bench.keeper.kept_from() is None
    assert first.telemetry().output_tokens == 2
    second = bench.lease(answer="echo")
    assert answered(second, "c") == ["c"]
    assert bench.keeper.kept_from() == "a job"
    assert second.telemetry().output_tokens == 1
    assert second.describe() == first.describe()


def test_another_constraint_is_served_and_other_options_are_not(bench: Bench) -> None:
    assert answered(bench.lease(answer="echo"), "a") == ["a"]
    answered(bench.lease(Constraint("regex", "a"), answer="echo"), "a")
    assert bench.keeper.kept_from() == "a job"
    answered(bench.lease(answer="echo", window=3), "a")
    assert bench.keeper.kept_from() is None


def test_the_constraint_that_it_tells_of_is_that_of_the_lease(bench: Bench) -> None:
    backend = {"answer": "echo", "backend": "xgrammar"}
    told = []
    for constraint in (Constraint("regex", "a"), None, Constraint("regex", "b")):
        lease = bench.lease(constraint, **backend)
        answered(lease, "a")
        told.append("grammar" in lease.describe().settings)
    assert told == [True, False, True]
    assert bench.keeper.starts == 1


def test_one_that_holds_constraints_by_another_backend_is_replaced(bench: Bench) -> None:
    answered(bench.lease(answer="echo", backend="guidance"), "a")
    answered(bench.lease(Constraint("regex", "a"), answer="echo", backend="guidance"), "a")
    assert bench.keeper.starts == 2


def test_servers_are_tried_with_each_constraint(bench: Bench) -> None:
    servers = Servers(("http://host/v1",))
    first, second = Constraint("regex", "a"), Constraint("regex", "b")
    for constraint in (first, None, first, second):
        config = EngineConfig("m", {"answer": "echo"}, constraint=constraint, servers=servers)
        use = EngineUse("scripted", config)
        answered(bench.keeper.lease(use, partial(scripted_engine.create, config)), "a")
    assert bench.keeper.starts == 2


def test_an_engine_of_another_name_or_with_other_settings_is_another() -> None:
    one = EngineUse("a", EngineConfig("m", {"x": 1}, "log", stall_timeout=1.0))
    same = EngineConfig(
        "m", {"x": 1}, "log2", stall_timeout=2.0, restarts=7, constraint=Constraint("regex", "a")
    )
    assert one.is_alike(EngineUse("a", same))
    assert not one.is_alike(EngineUse("b", same))
    others: list[dict[str, Any]] = [
        {"model": "n"}, {"options": {}}, {"adapters": {"d": "f"}}, {"ask": Ask("embed")}
    ]  # fmt: skip
    for other in others:
        assert not one.is_alike(EngineUse("a", replace(same, **other)))
    three = ReplicaCount(3, 3)
    assert not EngineUse("a", replace(one.config, replicas=three)).is_alike(
        EngineUse("a", replace(same, replicas=three))
    ), "replicas are watched by the engine"


def test_one_that_died_is_replaced(bench: Bench) -> None:
    with pytest.raises(EngineError):
        answered(bench.lease(answer="echo"), "KILL")
    assert answered(bench.lease(answer="echo"), "a") == ["a"]
    assert bench.keeper.kept_from() is None


def test_one_that_still_starts_for_a_run_that_has_given_up_is_waited_for(bench: Bench) -> None:
    first = bench.lease(answer="echo", start_delay=0.3)
    thread = threading.Thread(target=first.__enter__)
    thread.start()
    second = bench.lease(answer="echo", start_delay=0.3)
    assert answered(second, "a") == ["a"]
    thread.join()
    assert bench.keeper.starts == 1
    assert first.has_started != second.has_started


def test_one_that_does_not_start_says_why(bench: Bench) -> None:
    with pytest.raises(EngineError, match="no luck"):
        answered(bench.lease(start_error="no luck"), "a")


def test_a_run_that_is_given_up_gives_up_the_engine(bench: Bench) -> None:
    with bench.lease(answer="echo", delay=0.02) as engine:
        outcomes = engine.run(
            Request(f"{n:032x}", (Message("user", "a"),), Sampling()) for n in range(1, 50)
        )
        next(outcomes)
        outcomes.close()  # type: ignore[attr-defined]
    assert answered(bench.lease(answer="echo", delay=0.02), "a") == ["a"]
    assert bench.keeper.kept_from() is None
