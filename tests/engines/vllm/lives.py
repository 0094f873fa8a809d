"""Engines that die and are closed in this very process, one after the other; prints JSON.

Run as `python -m tests.engines.vllm.lives`, with vLLM in the same process: two of them do not fit
into one, and the tests' own process has one already.
"""

import json
import os
import threading
import time
from typing import Any
from unittest import mock

import psutil

from llmbatch.core.errors import EngineError
from llmbatch.core.records import Request
from llmbatch.engines.vllm import engine as vllm
from tests.engines.vllm import session
from tests.engines.vllm.death import left_since, outside
from tests.engines.vllm.requests import ask

ENVIRONMENT = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "1"}


def run_out(engine: vllm.VllmEngine, requests: list[Request]) -> dict[str, Any]:
    """The error that ends a run."""
    began, answered, message = time.monotonic(), [], ""
    try:
        for outcome in engine.run(requests):
            answered.append(outcome.text)
    except EngineError as error:
        message = str(error)
    seconds = time.monotonic() - began
    return {"answered": answered, "message": message, "seconds": seconds}


def life(words: str, rows: int = 60, close_after: float | None = None) -> dict[str, Any]:
    """One engine: a run of its own answers, then a run that may end it."""
    options = {"max_num_seqs": 2, "kv_cache_memory_bytes": 256 << 20}
    engine = vllm.create(session.config(worker_cls=session.MARKED, **options))
    before = outside()
    began = time.monotonic()
    with engine:
        ready = time.monotonic()
        first = run_out(engine, [ask(f"ticket {number}", max_tokens=20) for number in range(8)])
        closer = threading.Timer(close_after, engine.close) if close_after else None
        if closer is not None:
            closer.start()
        requests = [ask(f"row {n} {words if n == 20 else ''}", max_tokens=99) for n in range(rows)]
        last = run_out(engine, requests)
        if closer is not None:
            closer.join()
    return {
        "start_seconds": ready - began,
        "first": first,
        "last": last,
        "left_outside": left_since(before),
        "megabytes": psutil.Process().memory_info().rss >> 20,
    }


def refusal(**options: Any) -> str:
    """The reason for which an engine does not start."""
    try:
        with vllm.create(session.config(**options)):
            return ""
    except EngineError as error:
        return str(error)


def main() -> None:
    os.environ.update(ENVIRONMENT)
    before = outside()
    refusals = {
        "small cache": refusal(kv_cache_memory_bytes=1 << 19, max_model_len=1024),
        "no memory": refusal(kv_cache_memory_bytes=1 << 50),
    }
    lives = {
        "whole": life("row"),
        "broken": life("BREAK"),
        "closed": life("row", rows=1000, close_after=0.3),
        "last": life("row"),
    }
    # Then only its log knows the reason.
    with mock.patch.dict(os.environ, VLLM_ENABLE_V1_MULTIPROCESSING="1"):
        refusals["no memory in a worker"] = refusal(kv_cache_memory_bytes=1 << 50)
    left = left_since(before)["files"]
    print(json.dumps({"lives": lives, "refusals": refusals, "left": left}))


if __name__ == "__main__":
    main()
