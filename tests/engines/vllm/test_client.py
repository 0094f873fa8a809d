"""Calls of vLLM's engine, its death and its end, with a stand-in for vLLM's engine."""

import queue
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from llmbatch.core.errors import EngineError
from llmbatch.engines.vllm.client import Client
from llmbatch.engines.vllm.early_start import EarlyStart


class Engine:
    """The parts of an LLMEngine, and of a CoreChannel to it, that `Client` uses.

    `receive` waits for the core, as vLLM's client does.
    """

    def __init__(self) -> None:
        self.outputs: queue.Queue[Any] = queue.Queue()
        self.resources = SimpleNamespace(engine_dead=False)
        self.engine_core = SimpleNamespace(outputs_queue=self.outputs, resources=self.resources)
        self.renderer = SimpleNamespace(shutdown=lambda: None)
        self.error: Exception | None = None
        self.events: list[str] = []

    def add(self, number: str, tokens: list[int], template: Any, *more: Any) -> None:
        if self.error is not None:
            raise self.error

    def abort(self, numbers: list[str]) -> None:
        self.events.append(f"abort {numbers}")

    def receive(self) -> Any:
        found = self.outputs.get()
        time.sleep(0.1)  # the call goes on for a moment after it was woken
        self.events.append("receive returned")
        if isinstance(found, Exception):
            raise found
        return found

    def shut_down(self) -> None:
        self.events.append("shut down")


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def client(engine: Engine) -> Client:
    made = Client(None, 0, EarlyStart({}, None))
    made.engine, made._shut_down = engine, engine.shut_down
    made.channel = engine  # type: ignore[assignment]
    return made


def test_a_bad_request_is_told_from_a_dead_engine(client: Client, engine: Engine) -> None:
    """Or a good row would be refused for good because the engine died while it was sent."""
    engine.error = ValueError("bad")
    with pytest.raises(ValueError, match="bad"):
        client.add("1", [1], None)
    assert engine.events == ["abort ['1']"]
    engine.resources.engine_dead = True
    with pytest.raises(EngineError, match="engine died"):
        client.add("2", [1], None)
    client.close()


def test_nothing_is_sent_to_a_dead_engine(client: Client, engine: Engine) -> None:
    engine.outputs.put(RuntimeError("it broke"))
    with pytest.raises(EngineError, match="engine died: it broke"):
        client.receive()
    client.abort(["1"])
    with pytest.raises(EngineError, match="engine died: it broke"):
        client.add("1", [1], None)
    assert engine.events == ["receive returned"]
    client.close()


def test_closing_waits_for_the_call_that_it_interrupts(client: Client, engine: Engine) -> None:
    """vLLM's client is made for one thread: its sockets may not close under a call."""
    errors: list[EngineError] = []

    def work() -> None:
        try:
            client.receive()
        except EngineError as error:
            errors.append(error)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    time.sleep(0.1)
    client.close()
    worker.join(5)
    assert [str(error) for error in errors] == ["engine died: it was closed"]
    assert engine.events == ["receive returned", "shut down"]


def test_closing_twice_is_closing_once(client: Client, engine: Engine) -> None:
    client.close()
    client.close()
    assert engine.events == ["shut down"]
    assert not client._early.scratch.path.exists()


def test_what_has_arrived_is_known_without_waiting(client: Client, engine: Engine) -> None:
    assert not client.has_arrived()
    engine.outputs.put("a step")
    assert client.has_arrived()
    client.receive()
    client.close()
    assert not client.has_arrived()
