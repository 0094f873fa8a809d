"""Probabilities of labels in float32, by the engine and by transformers on the same weights.

    python -m tests.engines.vllm.label_sweep [MODEL]

Sets of labels, some of which share beginnings or are the beginning of another, after prompts of
many lengths; both ways to compare labels. Ends with an error where one differs by a thousandth.
"""

import csv
import json
import random
import sys
from collections.abc import Sequence
from typing import Any

from llmbatch.core.outcomes import Completed
from llmbatch.core.records import Ask, Message, Request, Sampling
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.vllm import engine as vllm
from tests.engines.vllm.session import ROOT

MOST = 1e-3
ROWS = 30
WORDS = ("billing", "refund", "re", "account", "account access", "account closed", "late delivery")
MORE = ("technical fault", "Größe", "refund_status", "10 %", "good", "good value", "not good")


def sets_of_labels() -> list[tuple[str, ...]]:
    chance = random.Random(5)
    every = [*WORDS, *MORE]
    return [tuple(chance.sample(every, size)) for size in (2, 3, 5, 5, 8, len(every))]


def requests() -> list[Request]:
    with (ROOT / "samples" / "tickets" / "tickets.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row, _ in zip(csv.DictReader(file), range(ROWS), strict=False)]
    made = []
    for number, text in enumerate(texts):
        labels = sets_of_labels()[number % len(sets_of_labels())]
        chat = (Message("user", f"Classify as {', '.join(labels)}: {text}"),)
        for whole in (False, True):
            what = Ask("labels", labels, whole=whole)
            made.append(Request(f"{number}-{whole}", chat, Sampling(max_tokens=1), ask=what))
    return made


def measured(model: str, asked: Sequence[Request]) -> dict[str, list[float]]:
    """The log probabilities by the engine."""
    options = {"dtype": "float32", "enforce_eager": True, "max_num_seqs": 32, "max_model_len": 1024}
    config = EngineConfig(model, options | {"kv_cache_memory_bytes": 512 << 20})
    found = {}
    with vllm.create(config) as engine:
        for outcome in engine.run(asked):
            assert isinstance(outcome, Completed), outcome
            found[outcome.key] = json.loads(outcome.text)
    return found


class Reference:
    """Scores labels with transformers, each in full."""

    def __init__(self, model: str, **settings: Any) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(model)
        self._model = AutoModelForCausalLM.from_pretrained(model, **settings).eval()

    def ids(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return found

    def scored(self, request: Request) -> list[float]:
        """The labels of a request: each up to what tells it from the others, unless it is whole."""
        import torch

        assert request.ask is not None
        chat = [{"role": message.role, "content": message.content} for message in request.messages]
        prompt = self.tokenizer.apply_chat_template(
            chat, tokenize=False, add_generation_prompt=True
        )
        full = [self.ids(f"{prompt}{label}<|im_end|>") for label in request.ask.labels]
        begin = len(self.ids(prompt))
        found = []
        for tokens in full:
            sizes = range(begin + 1, len(tokens) + 1)
            alone = (size for size in sizes if sum(o[:size] == tokens[:size] for o in full) == 1)
            end = len(tokens) if request.ask.whole else next(alone)
            with torch.no_grad():
                steps = self._model(torch.tensor([tokens])).logits[0].float().log_softmax(-1)
            found.append(sum(steps[at - 1, tokens[at]].item() for at in range(begin, end)))
        return found


def main() -> None:
    import torch

    model = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "samples" / "model")
    asked = requests()
    found, reference = measured(model, asked), Reference(model, dtype=torch.float32)
    worst, labels = 0.0, 0
    for request in asked:
        for ours, theirs in zip(found[request.key], reference.scored(request), strict=True):
            worst, labels = max(worst, abs(ours - theirs)), labels + 1
    print(f"{model}: {labels} labels of {len(asked)} requests differ by {worst:.2g} at most")
    sys.exit(worst >= MOST)


if __name__ == "__main__":
    main()
