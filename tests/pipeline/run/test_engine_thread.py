"""The engine works in a thread of its own; all that becomes of it is an event."""

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Completed, Failed, Lost, Outcome
from llmbatch.core.records import Message, Request, Sampling
from llmbatch.engines.base import Engine, Telemetry
from llmbatch.engines.config import EngineConfig
from llmbatch.pipeline.run.engine_thread import Done, Drained, EngineThread, Ready
from tests import scripted_engine
from tests.scripted_engine import ScriptedEngine

PATIENCE = 10.0


def engine(**options: Any) -> ScriptedEngine:
    return scripted_engine.create(EngineConfig("m", options))


def requests(count: int, text: str = "word") -> list[Request]:
    return [
        Request(f"{number:032x}", (Message("user", f"{text} {number}"),), Sampling())
        for number in range(count)
    ]


def fed(worker: Engine, *feeds: Iterable[Request]) -> EngineThread:
    """An engine thread that has all its feeds."""
    thread = EngineThread(worker)
    for feed in (*feeds, None):
        thread.feed(feed)
    return thread


def events_of(thread: EngineThread) -> list[Any]:
    """Every event up to Done, which must come."""
    events: list[Any] = []
    while not events or not isinstance(events[-1], Done):
        event = thread.next(PATIENCE)
        assert event is not None, "the engine fell silent"
        events.append(event)
    assert thread.join(PATIENCE)
    return events


def run(worker: ScriptedEngine, feed: Iterable[Request]) -> list[Any]:
    thread = fed(worker, feed)
    thread.start()
    return events_of(thread)


def test_a_whole_life_in_events() -> None:
    feed = requests(5)
    ready, *outcomes, drained, done = run(engine(window=2, order="reverse"), feed)
    assert drained == Drained()
    assert isinstance(ready, Ready)
    assert ready.info.name == "scripted"
    assert ready.began.at <= ready.at.at
    assert sorted(outcome.key for outcome in outcomes) == [request.key for request in feed]
    assert all(isinstance(outcome, Completed) for outcome in outcomes)
    assert done == Done(None)


def test_an_empty_feed_is_a_life_too() -> None:
    ready, drained, done = run(engine(), [])
    assert drained == Drained()
    assert isinstance(ready, Ready)
    assert done == Done(None)


def test_a_failed_request_is_an_outcome_like_any_other() -> None:
    _, outcome, _, done = run(engine(), requests(1, "FAIL:too_long"))
    assert isinstance(outcome, Failed)
    assert done == Done(None)


def test_an_engine_that_does_not_start_is_an_event() -> None:
    (done,) = run(engine(start_error="no device"), requests(3))
    assert isinstance(done.error, EngineError)
    assert str(done.error) == "no device"


def test_an_engine_that_dies_is_an_event_after_its_outcomes() -> None:
    ready, *outcomes, done = run(engine(die_after=2), requests(5))
    assert isinstance(ready, Ready)
    assert len(outcomes) == 2
    assert isinstance(done.error, EngineError)


def test_a_feed_that_breaks_is_an_event() -> None:
    broken = OSError("the store is gone")

    def feed() -> Iterator[Request]:
        yield requests(1)[0]
        raise broken

    assert run(engine(), feed())[-1].error is broken


@pytest.mark.parametrize("leaving", [SystemExit(3), KeyboardInterrupt()])
def test_an_engine_that_wants_to_end_the_process_is_an_event(leaving: BaseException) -> None:
    class Leaving(ScriptedEngine):
        def run(self, requests: Iterable[Request]) -> Iterator[Outcome | Lost]:
            raise leaving

    config = EngineConfig("m")
    (_, done) = run(Leaving(config, scripted_engine.Options()), requests(1))
    assert isinstance(done.error, EngineError)


def test_the_engine_is_closed_when_it_is_done() -> None:
    for options in ({}, {"die_after": 1}):
        worker = engine(**options)
        run(worker, requests(3))
        with pytest.raises(EngineError, match=r"not open|closed"):
            next(worker.run(requests(1)))


def test_the_engine_lives_in_one_thread() -> None:
    threads: list[int] = []

    class Noted(ScriptedEngine):
        def __enter__(self) -> "Noted":
            threads.append(threading.get_ident())
            super().__enter__()
            return self

        def run(self, requests: Iterable[Request]) -> Iterator[Outcome | Lost]:
            threads.append(threading.get_ident())
            yield from super().run(requests)

        def close(self) -> None:
            threads.append(threading.get_ident())
            super().close()

    run(Noted(EngineConfig("m"), scripted_engine.Options()), requests(2))
    assert len(threads) == 3
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


def test_an_abort_gives_up_what_is_in_flight() -> None:
    pulled: list[Request] = []

    def feed() -> Iterator[Request]:
        for request in requests(1000):
            pulled.append(request)
            yield request

    worker = engine(window=4, delay=0.01)
    thread = fed(worker, feed())
    thread.start()
    while not isinstance(thread.next(PATIENCE), Completed):
        pass
    thread.abort()
    events = events_of(thread)
    assert events[-1] == Done(None)
    assert len(pulled) < 100
    assert worker.telemetry().running == 0


def test_an_abort_closes_the_generator_of_the_engine() -> None:
    running: list[Iterator[Outcome | Lost]] = []

    class Held(ScriptedEngine):
        def run(self, requests: Iterable[Request]) -> Iterator[Outcome | Lost]:
            running.append(super().run(requests))
            return running[0]

    thread = fed(Held(EngineConfig("m"), scripted_engine.Options(delay=0.01)), requests(100))
    thread.start()
    while not isinstance(thread.next(PATIENCE), Completed):
        pass
    thread.abort()
    assert events_of(thread)[-1] == Done(None)
    assert next(running[0], None) is None


def test_one_feed_follows_the_other_through_the_same_engine() -> None:
    first, second = requests(3, "one"), requests(2, "two")
    thread = EngineThread(engine())
    thread.feed(first)
    thread.start()
    kinds = [type(thread.next(PATIENCE)) for _ in range(5)]
    assert kinds == [Ready, Completed, Completed, Completed, Drained]
    assert thread.next(0.05) is None, "the engine waits for its next feed"
    thread.feed(second)
    thread.feed(None)
    assert [type(event) for event in events_of(thread)] == [Completed, Completed, Drained, Done]


def test_an_engine_that_hangs_does_not_hold_the_caller() -> None:
    awake = threading.Event()

    class Hanging(ScriptedEngine):
        def run(self, requests: Iterable[Request]) -> Iterator[Outcome | Lost]:
            awake.wait(PATIENCE)
            yield from super().run(requests)

    thread = fed(Hanging(EngineConfig("m"), scripted_engine.Options()), requests(1))
    thread.start()
    assert isinstance(thread.next(PATIENCE), Ready)
    assert thread.next(0.01) is None
    thread.abort()
    assert thread.join(0.01) is False
    awake.set()
    assert thread.join(PATIENCE) is True


def test_the_engine_does_not_run_far_ahead_of_who_takes_its_outcomes() -> None:
    """Outcomes that wait between the two are computed and not yet safe."""
    worker = engine(window=1)
    thread = fed(worker, requests(5000))
    thread.start()
    for _ in range(40):
        threading.Event().wait(0.05)
        ahead = worker.telemetry().steps
    assert 250 < ahead < 270
    assert len(events_of(thread)) == 5000 + 3


def test_an_abort_frees_an_engine_that_nobody_listens_to() -> None:
    thread = fed(engine(window=1), requests(5000))
    thread.start()
    threading.Event().wait(1)
    thread.abort()
    assert thread.join(PATIENCE)


def test_no_request_is_pulled_before_there_is_room() -> None:
    pulled: list[str] = []
    settled: list[str] = []

    def feed() -> Iterator[Request]:
        for request in requests(20):
            assert len(pulled) - len(settled) < 3
            pulled.append(request.key)
            yield request

    class Counted(ScriptedEngine):
        def run(self, requests: Iterable[Request]) -> Iterator[Outcome | Lost]:
            for outcome in super().run(requests):
                assert not isinstance(outcome, Lost)
                settled.append(outcome.key)
                yield outcome

    worker = Counted(EngineConfig("m"), scripted_engine.Options(window=3))
    assert run(worker, feed())[-1] == Done(None)
    assert len(settled) == 20


def test_telemetry_is_zero_before_the_start_and_counts_after() -> None:
    thread = fed(engine(), requests(3))
    assert thread.telemetry() == Telemetry()
    thread.start()
    events_of(thread)
    assert thread.telemetry().steps == 3
    assert thread.telemetry().prompt_tokens == 6
