"""Kills and stops the processes of a vLLM, and prints the consequences as JSON.

Run as `python -m tests.engines.vllm.death`: a process of its own, because its children are counted
and its output must be empty but for the result. One engine after the other, as a run does it.
"""

import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from llmbatch.core.errors import EngineError
from llmbatch.core.records import Request
from llmbatch.engines.vllm import engine as vllm
from llmbatch.engines.vllm.leftovers import segments_of
from tests.engines.vllm import session
from tests.engines.vllm.alive import is_alive
from tests.engines.vllm.requests import ask

Disaster = Callable[[vllm.VllmEngine], None]

# In flight only when others have been answered.
MARKED_ROW = 20
REFUSED = [
    ask("hello", seed=-1),
    ask("hello", temperature=-1.0),
    ask("hello", repetition_penalty=0.0),
    ask("word " * 600),
]


def processes() -> list[psutil.Process]:
    """The engine core and its workers."""
    children = psutil.Process().children(recursive=True)
    # multiprocessing has a helper of its own, which ends with this process.
    return [child for child in children if "resource_tracker" not in str(child.cmdline())]


def core_and_worker() -> tuple[psutil.Process, psutil.Process]:
    core = next(child for child in processes() if child.ppid() == os.getpid())
    return core, next(child for child in processes() if child.ppid() == core.pid)


def kill_the_core(_: vllm.VllmEngine) -> None:
    """While vLLM's own `step` waits for it, which would go on waiting for ever."""
    core_and_worker()[0].send_signal(signal.SIGKILL)


def wait_for_the_marked_row(_: vllm.VllmEngine) -> None:
    """Its worker ends itself (see `tests.engines.vllm.marked`)."""


def stop_the_core_and_close(engine: vllm.VllmEngine) -> None:
    """A hung engine, and what the watchdog does to it."""
    core_and_worker()[0].send_signal(signal.SIGSTOP)
    threading.Thread(target=engine.close, name="closer").start()


def outside() -> dict[str, set[str]]:
    """Everything that an engine could leave in this process and outside."""
    return {
        "files": {path.name for path in Path(tempfile.gettempdir()).glob("*")},
        "threads": {thread.name for thread in threading.enumerate()},
        "environment": {f"{name}={value}" for name, value in os.environ.items()},
        "handlers": {str(signal.getsignal(number)) for number in signal.valid_signals()},
    }


def in_the_middle_of_a_run(engine: vllm.VllmEngine, disaster: Disaster) -> dict[str, Any]:
    """The end of a run that meets with a disaster after its first answer."""
    mark = "KILL" if disaster is wait_for_the_marked_row else ""
    rows = (f"row {number} {mark if number == MARKED_ROW else ''}" for number in range(500))
    outcomes = engine.run(ask(row, max_tokens=200) for row in rows)
    next(outcomes)
    disaster(engine)
    began, answered, message = time.monotonic(), 1, ""
    try:
        for _ in outcomes:
            answered += 1
    except EngineError as error:
        message = str(error)
    seconds = time.monotonic() - began
    again = ""
    try:
        list(engine.run([ask("again")]))
    except EngineError as error:
        again = str(error)
    return {"answered": answered, "message": message, "seconds": seconds, "again": again}


def life(disaster: Disaster) -> dict[str, Any]:
    """One engine from its start to its end."""
    engine = vllm.create(session.config(worker_cls=session.MARKED))
    before, began = outside(), time.monotonic()
    with engine:
        ready = time.monotonic()
        tree = processes()
        segments = segments_of(child.pid for child in tree)
        new = [ask(f"new {number}") for number in range(30)]
        answered = {outcome.key for outcome in engine.run(new)} == {request.key for request in new}
        way = "public" if disaster is kill_the_core else "short"
        with session.driven(engine, way):
            result = in_the_middle_of_a_run(engine, disaster)
        ended = time.monotonic()
    for thread in threading.enumerate():
        if thread.name == "closer":
            thread.join()
    return result | {
        "start_seconds": ready - began,
        "close_seconds": time.monotonic() - ended,
        "tree": len(tree),
        "answers_before": answered,
        "left": [child.pid for child in tree if is_alive(child)],
        "left_outside": left_since(before),
        "segments": len(segments),
        "left_memory": [name for name in segments if (Path("/dev/shm") / name).exists()],
        "megabytes": psutil.Process().memory_info().rss >> 20,
        "descriptors": psutil.Process().num_fds(),
    }


def waits(engine: vllm.VllmEngine) -> dict[str, Any]:
    """Idle seconds by a feed that pauses for 1.2 s in all, and by a taker that pauses for 1 s.

    And how many outcomes came before the feed had ended: it holds up nothing.
    """
    fed, early = [], 0

    def slow() -> Iterator[Request]:
        for number in range(4):
            time.sleep(0.3)
            fed.append(number)
            yield ask(f"slow {number}", max_tokens=2)

    idle = [engine.telemetry().idle_seconds]
    for _ in engine.run(slow()):
        early += len(fed) < 4
    idle.append(engine.telemetry().idle_seconds)
    for number, _ in enumerate(engine.run(ask(f"taken {n}", max_tokens=2) for n in range(20))):
        time.sleep(number == 0)
    idle.append(engine.telemetry().idle_seconds)
    return {"feed": idle[1] - idle[0], "taker": idle[2] - idle[1], "early": early}


def normal_life() -> dict[str, Any]:
    engine = vllm.create(session.config())
    before = outside()
    with engine:
        tree = processes()
        segments = segments_of(child.pid for child in tree)
        in_our_group = sum(os.getpgid(child.pid) == os.getpgid(0) for child in tree)
        given_up = engine.run(ask(f"old {number}", max_tokens=50) for number in range(50))
        next(given_up)
        given_up.close()  # type: ignore[attr-defined]
        new = [ask(f"new {number}") for number in range(30)]
        only_its_own = {o.key for o in engine.run(new)} == {r.key for r in new}
        steps = engine.telemetry().steps
        waited = waits(engine)
        with session.sent(engine) as sent:
            kinds = {o.key: getattr(o, "kind", "") for o in engine.run(REFUSED)}
    return {
        "tree": len(tree),
        "in_our_group": in_our_group,
        "only_its_own": only_its_own,
        "steps": steps,
        "waited": waited,
        "refused": [kinds[request.key] for request in REFUSED],
        "sent": sent,
        "left": [child.pid for child in tree if is_alive(child)],
        "left_outside": left_since(before),
        "segments": len(segments),
        "left_memory": [name for name in segments if (Path("/dev/shm") / name).exists()],
        "megabytes": psutil.Process().memory_info().rss >> 20,
        "descriptors": psutil.Process().num_fds(),
    }


def left_since(before: dict[str, set[str]]) -> dict[str, list[str]]:
    return {kind: sorted(now - before[kind]) for kind, now in outside().items()}


DISASTERS = (
    kill_the_core,
    wait_for_the_marked_row,
    stop_the_core_and_close,
)


def main() -> None:
    result = {"normal": normal_life()}
    for disaster in DISASTERS:
        result[disaster.__name__] = life(disaster)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
