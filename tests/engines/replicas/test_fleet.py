"""A fleet of scripted engines in processes: deaths, hangs, starts that fail, its end."""

import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import psutil

from llmbatch.core import clock
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
    found = [
        child
        for child in psutil.Process().children()
        if "llmbatch.engines.replicas.child" in child.cmdline()
    ]
    return sorted(found, key=lambda child: child.pid)


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
