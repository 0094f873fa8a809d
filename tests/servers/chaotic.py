"""A run over a server behind the chaos proxy, and how well it used the proxy's limit:
`python -m tests.servers.chaotic --rows 600` (`make chaos`).

The ideal time is that of the attempts which the run took, sent as fast as the limit lets them. Its
lines: rows answered, attempts, the share of the limit that was used in the first nine tenths of
them (0.9 at least, else exit code 1), and the whole time against the ideal one (1.15 at most).
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llmbatch.core.outcomes import Completed, Lost, Outcome
from llmbatch.core.records import Request
from llmbatch.engines.config import EngineConfig, Servers
from llmbatch.engines.http.engine import create
from tests.engines.vllm.requests import ask
from tests.servers import vllm_server
from tests.servers.process import ServerProcess, chaos, serving

LEAST_USED, MOST_RATIO = 0.9, 1.15
SHARES = {"errors": 0.3, "hung": 0.05, "truncated": 0.03, "garbage": 0.03}


@dataclass(frozen=True)
class Measured:
    """The end of a run. `used`: share of the limit that was used; `ratio`: to the ideal time."""

    outcomes: Counter[str]
    attempts: int
    seconds: float
    used: float
    ratio: float
    happened: dict[str, int]


def run(
    server: ServerProcess, model: str, rows: int, *, rate: float, seed: int, timeout: float
) -> Measured:
    """Have so many rows answered through the proxy."""
    requests = [ask(f"row {number} of {rows}") for number in range(rows)]
    with chaos(server, rate=rate, burst=max(1, int(rate)), seed=seed, spares=0, **SHARES) as proxy:
        config = EngineConfig(model, {"timeout": timeout}, servers=Servers((proxy.url,)))
        with create(config) as engine:
            began = time.monotonic()
            answered = _answered(engine.run, requests)
            seconds = time.monotonic() - began
        seen = proxy.seen()
    passed = seen["passed"]
    # The last rows may hang once more, when there is nothing else to send.
    busy = passed[: max(2, len(passed) * 9 // 10)]
    used = (len(busy) - 1) / ((busy[-1] - busy[0]) * rate)
    ideal = len(passed) / rate
    return Measured(answered, len(passed), seconds, used, seconds / ideal, seen["happened"])


def _answered(work: object, requests: Sequence[Request]) -> Counter[str]:
    """The number of answers of each request. What is lost is sent again."""
    assert callable(work)
    found: Counter[str] = Counter()
    again: list[Request] = []
    by_key = {request.key: request for request in requests}
    for event in work(requests):
        assert isinstance(event, Outcome | Lost)
        if isinstance(event, Lost):
            again.extend(by_key[key] for key in event.keys)
        else:
            found[event.key] += isinstance(event, Completed)
    return found + _answered(work, again) if again else found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=3.0)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--real", action="store_true", help="in front of vLLM's server")
    given = parser.parse_args()
    made = vllm_server.serving() if given.real else serving(latency=given.latency)
    with made as server:
        found = run(
            server,
            vllm_server.NAME if given.real else "scripted",
            given.rows,
            rate=given.rate,
            seed=given.seed,
            timeout=given.timeout,
        )
    once = sum(count == 1 for count in found.outcomes.values())
    print(f"rows answered once: {once} of {given.rows}; attempts {found.attempts}")
    print(f"limit used: {found.used:.3f}; time to ideal: {found.ratio:.3f} ({found.seconds:.1f} s)")
    print(json.dumps(found.happened))
    sys.exit(not (once == given.rows and found.used >= LEAST_USED and found.ratio <= MOST_RATIO))


if __name__ == "__main__":
    main()
