"""Rows a second of the two ways to vLLM's engine core, side by side in one engine; prints JSON.

Run as `python -m tests.versions.ways [--rows N] [--rounds N]`. The rounds are interleaved (short,
public, public, short, ...), each on prompts of its own; `ratio` is the median over the rounds of
public to short. `processor` is the same of this process's own processor time for a row.
"""

import argparse
import json
import statistics
import time
from typing import Any

from llmbatch.engines.vllm import engine as vllm
from tests.engines.vllm import session
from tests.engines.vllm.requests import ask

WORDS = ("refund", "order", "invoice", "late", "parcel", "broken", "screen", "login")


def prompts(rows: int, turn: int) -> list[str]:
    return [
        f"Ticket {turn}-{row}: "
        + " ".join(WORDS[(row * 7 + n * n) % len(WORDS)] for n in range(20))
        for row in range(rows)
    ]


def measure(engine: vllm.VllmEngine, way: str, texts: list[str]) -> tuple[float, float]:
    """Seconds, and seconds of this process's processor time, for the answers to all texts."""
    with session.driven(engine, way):
        requests = [ask(text, max_tokens=4) for text in texts]
        began, worked = time.perf_counter(), time.process_time()
        answered = sum(1 for _ in engine.run(requests))
        assert answered == len(texts)
        return time.perf_counter() - began, time.process_time() - worked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    config = session.config(max_num_seqs=64, kv_cache_memory_bytes=256 << 20)
    with vllm.create(config) as engine:
        for way in ("short", "public"):
            measure(engine, way, prompts(64, 0))  # what is paid on first use
        rounds = []
        for turn in range(1, arguments.rounds + 1):
            ways = ("short", "public") if turn % 2 else ("public", "short")
            rounds.append({
                way: measure(engine, way, prompts(arguments.rows, 2 * turn + (way == "public")))
                for way in ways
            })  # fmt: skip
        described = engine.describe().settings
    print(json.dumps(summary(rounds, arguments.rows) | {"way": described["way"]}))


def summary(rounds: list[dict[str, tuple[float, float]]], rows: int) -> dict[str, Any]:
    """Medians: rows a second of each way, microseconds of processor time a row, ratios."""
    median = statistics.median
    return {
        "rows_per_second": {
            way: round(rows / median(one[way][0] for one in rounds), 1) for way in rounds[0]
        },
        "ratio": round(median(one["short"][0] / one["public"][0] for one in rounds), 3),
        "front_end_us_per_row": {
            way: round(1e6 * median(one[way][1] for one in rounds) / rows) for way in rounds[0]
        },
    }


if __name__ == "__main__":
    main()
