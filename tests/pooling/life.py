"""One pooling engine of the bundled model, from start to end, in this process; prints JSON.

Run as `python -m tests.pooling.life`, with vLLM in the same process: that of the tests has one.
"""

import base64
import json
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Outcome
from llmbatch.core.records import Ask, Message, Request, Sampling
from llmbatch.engines.base import Engine
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.vllm import kinds
from llmbatch.engines.vllm.public_way import PublicWay
from tests.contracts import ask_clauses
from tests.contracts.ask_clauses import Asked
from tests.engines.vllm import session
from tests.pooling.reference import Numbers, Reference, cosines

ENVIRONMENT = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "1"}
TEXTS = ("hello world", "a ticket about a refund", "x", "<|im_end|> is a text")
LONG = "one two three " * 60
ASK = Ask("embed", pooling="last")
SPLIT = Ask("embed", pooling="last", overflow="split")
CUT = Ask("embed", pooling="last", overflow="truncate", normalize=False)


def asked(text: str, ask: Ask = ASK, key: str = "k") -> Request:
    return Request(key, (Message("text", text),), Sampling(), ask=ask)


def told(outcome: Any) -> dict[str, Any]:
    return {name: getattr(outcome, name, None) for name in ("key", "text", "kind", "message")} | {
        "tokens": outcome.usage.prompt
    }


def run(engine: Engine, requests: list[Request]) -> dict[str, Any]:
    outcomes: list[Any] = list(engine.run(iter(requests)))
    assert len(outcomes) == len(requests)
    return {outcome.key: told(outcome) for outcome in outcomes}


def numbers(text: str) -> Numbers:
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float64)


def pulled(engine: Engine) -> int:
    """The number of requests that are pulled for the first outcome."""
    count = 0

    def feed() -> Iterator[Request]:
        nonlocal count
        for number in range(100):
            count += 1
            yield asked(f"text {number}", key=str(number))

    outcomes = iter(engine.run(feed()))
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    return count


def closed_while_working(engine: Engine) -> str:
    """The error of a run whose engine is closed by another thread."""
    outcomes: Iterator[Outcome | Any] = engine.run(
        asked(f"text {number}", key=str(number)) for number in range(10**6)
    )
    next(outcomes)
    closer = threading.Thread(target=engine.close)
    closer.start()
    try:
        for _ in outcomes:
            pass
    except EngineError as error:
        return str(error)
    finally:
        closer.join()
    return ""


def main() -> None:
    options = session.OPTIONS | {"dtype": "float32", "max_model_len": 64}
    del options["structured_outputs_config"]
    engine = kinds.create(EngineConfig(str(session.MODEL), options, os.devnull, ask=ASK))
    counted = [engine.encode([Message("text", text)]) for text in TEXTS]
    with engine:
        requests = [asked(text, key=str(n)) for n, text in enumerate(TEXTS)]
        first = run(engine, requests)
        reference = Reference(session.MODEL)
        theirs = [reference.pooled(reference.ids(text), "last") for text in TEXTS[:3]]
        ours = [numbers(first[str(n)]["text"]) for n in range(len(TEXTS))]
        odd = [
            asked("", key="empty"),
            asked(LONG, key="long"),
            asked(LONG, SPLIT, "split"),
            asked(LONG, CUT, "cut"),
            Request("text", (Message("user", "hi"),), Sampling()),
        ]
        result = {
            "first": first,
            "encoded": [len(ids or ()) for ids in counted],
            "cosine": cosines(ours[:3], theirs),
            "norms": [float(np.linalg.norm(one)) for one in ours],
            "odd": run(engine, odd),
            "described": engine.describe().to_json(),
            "pulled": pulled(engine),
            "after": run(engine, requests),
            "telemetry": engine.telemetry().prompt_tokens,
            "steps": engine.telemetry().steps,
            "broken": ask_clauses.broken(Asked(engine, ASK, 128)),
        }
        client = engine._client
        assert client is not None
        client.channel, own = PublicWay(client.engine, client.stats), client.channel
        session_ = engine._session
        assert session_ is not None
        session_.template, kept = session_.template.pooling_params, session_.template  # type: ignore[attr-defined]
        result["public"] = run(engine, requests)
        client.channel, session_.template = own, kept  # type: ignore[attr-defined]
        result["closed"] = closed_while_working(engine)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    os.environ.update(ENVIRONMENT)
    main()
