"""The same greedy requests with drafts by look-up and without them; prints JSON.

Run as `python -m tests.engines.vllm.drafts`, with vLLM in the same process: the tests' own process
has one already. Without weights a model soon says the same over and over, which drafts foresee.
"""

import json
import os
from dataclasses import asdict
from typing import Any

from llmbatch.engines.vllm import engine as vllm
from tests.engines.vllm import session
from tests.engines.vllm.lives import ENVIRONMENT
from tests.engines.vllm.requests import ask, choice

NGRAM = {
    "method": "ngram",
    "num_speculative_tokens": 4,
    "prompt_lookup_min": 2,
    "prompt_lookup_max": 4,
}


def life(**options: Any) -> dict[str, Any]:
    """One engine: its answers, what it drafted, and how many steps it took."""
    texts = [f"ticket {number} about a printer" for number in range(20)]
    requests = [ask(text, max_tokens=60) for text in texts]
    requests += [ask(text, choice("billing", "refund", "repair"), max_tokens=9) for text in texts]
    with vllm.create(session.config(load_format="dummy", **options)) as engine:
        found = {outcome.key: outcome for outcome in engine.run(requests)}
        seen = engine.telemetry()
    return {
        "answers": [found[request.key].text for request in requests],
        "output": sum(outcome.usage.output for outcome in found.values()),
        "steps": seen.steps,
        "sequences": seen.sequences,
        "moments": seen.moments.s,
        "speculation": asdict(seen.speculation),
    }


def main() -> None:
    os.environ.update(ENVIRONMENT)
    print(json.dumps({"plain": life(), "ngram": life(speculative_config=NGRAM)}))


if __name__ == "__main__":
    main()
