"""A fleet of scripted engines in processes: deaths, hangs, starts that fail, its end."""

import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from llmbatch.core import clock
from llmbatch.core.errors import EngineError, MismatchedEngineError
from llmbatch.core.outcomes import Lost, Outcome
from llmbatch.core.records import Request
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.registry import load
from llmbatch.engines.replicas.count import ReplicaCount
from llmbatch.engines.replicas.fleet import Fleet
from llmbatch.engines.replicas.process import ProcessTransport
from tests.engines.vllm.requests import ask

NAME = "tests.scripted_engine:create"


def fleet(
    replicas: int,
    options: Mapping[str, Any],
    *,
    places: list[dict[str, str]] | None = None,
    **settings: Any,
) -> Fleet:
    config = EngineConfig("scripted", options, **settings)
    transport = ProcessTransport(load, NAME, config, lambda: places or [{}] * replicas)
    return Fleet(load(NAME)(config), config, transport, ReplicaCount(replicas, replicas))


def children() -> list[psutil.Process]:
    """The replicas that are there, in the order of their starts."""
    found = [child for child in psutil.Process().children() if _is_replica(child)]
    return sorted(found, key=lambda child: child.pid)


def _is_replica(process: psutil.Process) -> bool:
    try:
        return "llmbatch.engines.replicas.child" in process.cmdline()
    except psutil.Error:  # it has ended
        return False


class Sent:
    """A feed that sends again what is lost."""

    def __init__(self, requests: Iterable[Request]) -> None:
        self.requests = list(requests)
        self.answers: list[str] = []
        self.lost: list[Lost] = []
        self._by_key = {request.key: request for request in self.requests}
        self._again: list[str] = []

    def __iter__(self) -> Iterator[Request]:
        yield from self.requests
        while self._again:
            yield self._by_key[self._again.pop()]

    def take(self, event: Outcome | Lost) -> None:
        if isinstance(event, Lost):
            self.lost.append(event)
            self._again.extend(event.keys)
        else:
            self.answers.append(event.key)

    def finish(self, engine: Fleet) -> None:
        """Run until all have been answered."""
        while self._again:
            again = [self._by_key[key] for key in self._again]
            self._again.clear()
            for event in engine.run(again):
                self.take(event)


def rows(count: int, text: str = "row") -> list[Request]:
    return [ask(f"{text} {number}") for number in range(count)]


def names(engine: Fleet) -> list[str]:
    return [event.name for event in engine.part_events()]


def until(is_so: Any, seconds: float = 10) -> None:
    deadline = clock.seconds() + seconds
    while not is_so():
        assert clock.seconds() < deadline
        time.sleep(0.01)


def test_killed_replicas_cost_what_they_had_in_flight_and_start_again() -> None:
    with fleet(2, {"window": 4, "delay": 0.02}) as engine:
        sent = Sent(rows(160))
        killed = 0
        for event in engine.run(sent):
            sent.take(event)
            if len(sent.answers) // 40 > killed:
                killed += 1
                os.kill(children()[0].pid, signal.SIGKILL)
        sent.finish(engine)
        assert sorted(sent.answers) == sorted(one.key for one in sent.requests)
        assert killed >= 2
        assert all("killed by SIGKILL" in lost.reason for lost in sent.lost)
        assert all(len(lost.keys) <= 4 for lost in sent.lost)
        assert "replica_died" in names(engine)
        assert engine.telemetry().output_tokens >= 160
    assert children() == []


def uneven(options: Mapping[str, Any], **settings: Any) -> Fleet:
    """Two replicas with options of their own."""
    config = EngineConfig("scripted", {"window": 4, "delay": 0.01, **options}, **settings)
    name = "tests.engines.replicas.uneven:create"
    transport = ProcessTransport(load, name, config, lambda: [{}, {}])
    return Fleet(load(name)(config), config, transport, ReplicaCount(2, 2))


def started(engine: Fleet, replicas: int) -> Fleet:
    """The fleet once so many have started."""
    seen: list[str] = []

    def all_have() -> bool:
        list(engine.run([ask("wait")]))
        seen.extend(names(engine))
        return seen.count("replica_started") >= replicas

    until(all_have, 30)
    return engine


def test_a_slow_replica_gets_less() -> None:
    with uneven({"delay.0": 0.005, "delay.1": 0.05}) as engine:
        started(engine, 2)
        before = [member.telemetry.output_tokens for member in engine._crew.members]
        sent = Sent(rows(200))
        for event in engine.run(sent):
            sent.take(event)
        after = [member.telemetry.output_tokens for member in engine._crew.members]
    fast, slow = (now - then for now, then in zip(after, before, strict=True))
    assert fast > 4 * slow > 0


def test_a_replica_that_never_starts_delays_nothing() -> None:
    began = clock.seconds()
    with uneven({"start_delay.1": 600}) as engine:
        sent = Sent(rows(20))
        for event in engine.run(sent):
            sent.take(event)
        assert len(sent.answers) == 20
        assert names(engine) == ["replica_started"]
    assert clock.seconds() - began < 15
    assert children() == []


def test_a_replica_that_hangs_is_ended_alone_and_its_requests_come_again() -> None:
    with uneven({}, stall_timeout=1.0, restarts=1) as engine:
        started(engine, 2)
        stopped = children()[1]
        stopped.suspend()  # as one whose device has stopped answering
        sent = Sent(rows(60))
        for event in engine.run(sent):
            sent.take(event)
        sent.finish(engine)
        assert sorted(sent.answers) == sorted(one.key for one in sent.requests)
        assert {lost.kind for lost in sent.lost} == {"timeout"}
        assert "made no progress for 1 s" in sent.lost[0].reason
        assert not stopped.is_running()


def test_an_engine_that_does_not_start_says_why_at_once() -> None:
    with pytest.raises(EngineError, match=r"replica \d: no memory"):
        fleet(2, {"start_error": "no memory"}).__enter__()
    assert children() == []


def test_one_that_cannot_be_started_is_left_out_and_the_other_works() -> None:
    with uneven({"start_error.1": "its device is taken"}, restarts=0) as engine:
        sent = Sent(rows(40))
        for event in engine.run(sent):
            sent.take(event)
        assert len(sent.answers) == 40
        assert "replica_left_out" in names(engine)


def test_a_fleet_without_replicas_is_gone() -> None:
    with uneven({"die_after": 3}, restarts=0) as engine:
        started_both = Sent(rows(100))
        with pytest.raises(EngineError, match="scripted after 3 answers"):
            for event in engine.run(started_both):
                started_both.take(event)
    assert children() == []


def test_a_version_that_does_not_fit_is_told_as_such() -> None:
    with fleet(1, {"misfit_after": 1}) as engine, pytest.raises(MismatchedEngineError):
        list(engine.run(rows(10)))


def test_all_are_held_back_only_if_each_is() -> None:
    with uneven({"held_back.0": 0.3, "held_back.1": 0.3, "delay": 0}) as engine:
        started(engine, 2)
        seen = []
        for _ in engine.run(rows(8)):
            seen.append(engine.telemetry().held_back_until)
        over = engine.telemetry().held_back_until
    assert any(seen)
    assert over is None


def test_the_log_of_each_replica_lies_beside_that_of_the_run(tmp_path: Path) -> None:
    with fleet(2, {}, log_path=str(tmp_path / "run.log")):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "run.replica-1.log",
        "run.replica-2.log",
    ]
