"""What happens to a vLLM in its own processes when these are killed; prints it as JSON.

Run as `python -m tests.engine.death`: a process of its own, because its children are counted
and its output must be empty but for the result.
"""

import json
import os
import signal
import time
from typing import Any

import psutil

from llmbatch.core.errors import EngineError
from llmbatch.engines import vllm
from tests.engine import session
from tests.engine.requests import ask


def processes() -> list[psutil.Process]:
    """The engine core and its workers."""
    children = psutil.Process().children(recursive=True)
    # multiprocessing has a helper of its own, which ends with this process.
    return [child for child in children if "resource_tracker" not in str(child.cmdline())]


def kill_the_core(engine: vllm.VllmEngine) -> dict[str, Any]:
    """SIGKILL the engine core in the middle of a run."""
    outcomes = engine.run(ask(f"row {number}", max_tokens=200) for number in range(500))
    next(outcomes)
    core = next(child for child in processes() if child.ppid() == os.getpid())
    core.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    answered, message = 1, ""
    try:
        for _ in outcomes:
            answered += 1
    except EngineError as error:
        message = str(error)
    return {"answered": answered, "message": message, "seconds": time.monotonic() - killed}


def main() -> None:
    engine = vllm.create(session.config())
    result: dict[str, Any] = {}
    with engine:
        tree = processes()
        result["tree"] = len(tree)
        result["in_our_group"] = sum(os.getpgid(child.pid) == os.getpgid(0) for child in tree)
        given_up = engine.run(ask(f"old {number}", max_tokens=50) for number in range(50))
        next(given_up)
        given_up.close()  # type: ignore[attr-defined]
        new = [ask(f"new {number}") for number in range(30)]
        result["only_its_own"] = {o.key for o in engine.run(new)} == {r.key for r in new}
        result["steps"] = engine.telemetry().steps
        result["death"] = kill_the_core(engine)
        try:
            list(engine.run([ask("again")]))
        except EngineError as error:
            result["again"] = str(error)
    engine.close()
    result["left"] = [child.pid for child in tree if child.is_running()]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
