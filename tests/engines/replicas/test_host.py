import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from llmbatch.core import clock
from llmbatch.core.errors import UsageError
from llmbatch.core.outcomes import Lost, Outcome
from llmbatch.core.records import Message, Request, Sampling
from llmbatch.engines.base import Engine
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.replicas.host import LARGEST_REPLY, ReplicaHost
from llmbatch.engines.replicas.wire import Call, Reply, RequestWriter, read_outcome
from tests import scripted_engine
from tests.contracts import minimal_engine

SAMPLING = Sampling()


class Driver:
    """The other end of a host."""

    def __init__(self, host: ReplicaHost) -> None:
        self.host = host
        self.writer = RequestWriter()
        self.numbers = itertools.count(1)

    def call(self, *requests: Request, wait: float = 0.05, abort: bool = False) -> Reply:
        written = [self.writer.write(request) for request in requests]
        call = Call(next(self.numbers), written, self.writer.take_parts(), wait, abort)
        return Reply.from_bytes(self.host.call(call.to_bytes()))

    def until(self, is_enough: Callable[[Reply], bool]) -> Reply:
        deadline = clock.seconds() + 10
        while not is_enough(reply := self.call()):
            assert clock.seconds() < deadline, reply
        return reply

    def outcomes(self, number: int) -> list[Outcome | Lost]:
        found: list[Outcome | Lost] = []

        def take(reply: Reply) -> bool:
            found.extend(read_outcome(each) for each in reply.outcomes)
            return len(found) >= number

        self.until(take)
        return found


@contextmanager
def started(make: Callable[[], Engine]) -> Iterator[Driver]:
    host = ReplicaHost(make)
    host.start()
    try:
        yield Driver(host)
    finally:
        assert host.close(10)


def scripted(options: Mapping[str, Any]) -> Callable[[], Engine]:
    return lambda: scripted_engine.create(EngineConfig("scripted", options))


def ask(text: str, key: str) -> Request:
    return Request(key, (Message("user", text),), SAMPLING)


def test_a_replica_says_once_what_it_is_when_it_is_ready() -> None:
    with started(scripted({"start_delay": 0.1})) as driver:
        assert driver.call(wait=0).state == "starting"
        ready = driver.until(lambda reply: reply.state == "ready")
        assert ready.info is not None
        assert ready.info["engine"] == "scripted"
        assert driver.call().info is None


def test_each_request_has_one_outcome() -> None:
    with started(scripted({"window": 4})) as driver:
        driver.call(*[ask(f"row {n}", str(n)) for n in range(40)], wait=0)
        outcomes = driver.outcomes(40)
        assert sorted(each.key for each in outcomes if not isinstance(each, Lost)) == sorted(
            str(n) for n in range(40)
        )
        assert driver.call().outcomes == []
        assert driver.call().telemetry.output_tokens > 0


def test_the_same_call_again_gets_the_same_reply_and_sends_nothing_twice() -> None:
    with started(scripted({})) as driver:
        call = Call(1, [driver.writer.write(ask("row", "a"))], driver.writer.take_parts(), 5)
        driver.until(lambda reply: reply.state == "ready")
        driver.numbers = itertools.count(101)
        once = driver.host.call(Call(100, call.requests, call.parts, 5).to_bytes())
        again = driver.host.call(Call(100, call.requests, call.parts, 5).to_bytes())
        assert once == again
        assert len(Reply.from_bytes(once).outcomes) == 1
        assert driver.call().outcomes == []


def test_an_answer_comes_although_no_further_request_does() -> None:
    """An engine whose window has room would wait for one for ever."""
    with started(scripted({"window": 8, "delay": 0.02})) as driver:
        driver.call(ask("row", "a"), wait=0)
        assert [each.key for each in driver.outcomes(1) if not isinstance(each, Lost)] == ["a"]


def test_an_engine_that_takes_no_pauses_drains_instead() -> None:
    with started(lambda: minimal_engine.create(EngineConfig("minimal"))) as driver:
        driver.call(ask("one", "a"), wait=0)
        driver.outcomes(1)
        driver.call(ask("two", "b"), ask("three", "c"), wait=0)
        assert len(driver.outcomes(2)) == 2


def test_a_reply_is_small_and_says_that_more_waits() -> None:
    answer = "x" * (LARGEST_REPLY // 2)
    with started(scripted({"answer": "echo", "window": 8, "max_model_len": 8})) as driver:
        driver.until(lambda reply: reply.state == "ready")
        driver.call(*[ask(answer, str(n)) for n in range(8)], wait=0)
        sizes = []

        def take(reply: Reply) -> bool:
            sizes.append((len(reply.outcomes), reply.remaining))
            return sum(count for count, _ in sizes) == 8

        driver.until(take)
        assert max(count for count, _ in sizes) <= 2


def test_what_is_in_flight_is_given_up_and_the_next_requests_are_answered() -> None:
    with started(scripted({"window": 2, "delay": 0.05})) as driver:
        driver.until(lambda reply: reply.state == "ready")
        driver.call(*[ask(f"old {n}", f"old {n}") for n in range(50)], wait=0)
        replies = [driver.call(ask("new", "new"), wait=0, abort=True)]
        replies.append(driver.until(lambda reply: bool(reply.outcomes)))
        keys = [each[1] for reply in replies for each in reply.outcomes]
        assert keys == ["new"]


@pytest.mark.parametrize("options", [{"start_error": "no memory"}, {"die_after": 0}])
def test_an_engine_that_is_gone_says_why(options: Mapping[str, Any]) -> None:
    with started(scripted(options)) as driver:
        driver.call(ask("row", "a"), wait=0)
        failed = driver.until(lambda reply: reply.state == "failed")
        assert failed.error in ("no memory", "engine died: scripted after 0 answers")


def test_an_engine_that_cannot_be_made_says_why() -> None:
    def make() -> Engine:
        raise UsageError("no such model")

    with started(make) as driver:
        assert driver.until(lambda reply: reply.state == "failed").error == "no such model"
