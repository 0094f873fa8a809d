"""The hits of a small prefix cache, and the predicted ones; prints JSON.

Run as `python -m tests.engines.vllm.cache`, with vLLM in the same process: the tests' own process
has one already.
"""

import json
import os
import random

from llmbatch.core.records import Request
from llmbatch.engines.vllm import engine as vllm
from llmbatch.estimate import cache_forecast
from llmbatch.estimate.prefix_cache import simulate
from tests.engines.vllm import session
from tests.engines.vllm.lives import ENVIRONMENT
from tests.engines.vllm.requests import ask

WORDS = ["refund", "order", "invoice", "late", "parcel", "broken", "screen", "login", "charge"]


def prompts() -> list[str]:
    """Texts about forty products with long descriptions, in no order."""
    chance = random.Random(4)
    products = [" ".join(chance.choices(WORDS, k=40)) for _ in range(40)]
    return [
        f"Product: {chance.choice(products)}. Ticket: "
        + " ".join(chance.choices(WORDS, k=chance.randrange(5, 25)))
        for _ in range(250)
    ]


def main() -> None:
    os.environ.update(ENVIRONMENT)
    texts = prompts()
    # First as they come, then sorted; some answers are long and most are short (what their lengths
    # will be is not predicted here).
    requests = [ask(text, max_tokens=40, temperature=1.5) for text in [*texts, *sorted(texts)]]
    config = session.config(num_gpu_blocks_override=90, max_num_seqs=8)
    with vllm.create(config) as engine:
        outcomes = {outcome.key: outcome.usage for outcome in engine.run(requests)}
        info = engine.describe()
    usage = [outcomes[request.key] for request in requests]
    assumed = cache_forecast.assume_as_described(info, [one.output for one in usage])
    assert assumed is not None
    found = simulate(tokens(engine, requests), assumed.cache, assumed.answers).cached
    half = len(texts)
    halves = {"as input": slice(0, half), "sorted": slice(half, None)}
    result = {
        name: {
            "tokens": sum(one.prompt for one in usage[part]),
            "cached": sum(one.cached for one in usage[part]),
            "predicted": sum(found[part]),
        }
        for name, part in halves.items()
    }
    print(json.dumps(result | {"blocks": info.kv_cache_blocks}))


def tokens(engine: vllm.VllmEngine, requests: list[Request]) -> list[list[int]]:
    """The prompts as the forecast sees them."""
    return [list(engine.encode(request.messages) or []) for request in requests]


if __name__ == "__main__":
    main()
