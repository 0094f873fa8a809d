"""The other sides of `make bench-embed`, each in a process of its own: vectors of all texts.

    python embed_baseline.py SIDE MODEL TEXTS RESULT ENGINE

SIDE: "vllm" (LLM.embed on all at once), "sorted" (the same, the longest text first) or "loop": what
sentence-transformers does, by transformers alone: batches of 32, sorted by length, padded, on all
cores. TEXTS: a JSON array; ENGINE: options as JSON. Writes seconds and vectors as JSON and .npy.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 32


def by_vllm(model: str, texts: Sequence[str], engine: dict[str, Any]) -> tuple[float, Any]:
    from vllm import LLM

    llm = LLM(model=model, runner="pooling", **engine)
    llm.embed([*texts[:BATCH]], use_tqdm=False)  # the first step is slower than others
    began = time.perf_counter()
    outputs = llm.embed([*texts], use_tqdm=False)
    seconds = time.perf_counter() - began
    return seconds, np.array([output.outputs.embedding for output in outputs], np.float32)


def by_loop(model: str, texts: Sequence[str]) -> tuple[float, Any]:
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    made = AutoModel.from_pretrained(model, dtype=torch.float32).eval()
    vectors: list[Any] = [None] * len(texts)
    began = time.perf_counter()
    order = sorted(range(len(texts)), key=lambda number: -len(texts[number]))
    with torch.no_grad():
        for start in range(0, len(order), BATCH):
            numbers = order[start : start + BATCH]
            given = tokenizer(
                [texts[number] for number in numbers],
                padding=True, truncation=True, max_length=256, return_tensors="pt",
            )  # fmt: skip
            states = made(**given).last_hidden_state
            mask = given["attention_mask"].unsqueeze(-1).float()
            pooled = (states * mask).sum(1) / mask.sum(1)
            unit = torch.nn.functional.normalize(pooled, dim=1).numpy()
            for number, vector in zip(numbers, unit, strict=True):
                vectors[number] = vector
    return time.perf_counter() - began, np.array(vectors, np.float32)


def main() -> None:
    side, model, source, result, engine = sys.argv[1:]
    texts = json.loads(Path(source).read_text())
    order = list(range(len(texts)))
    if side == "sorted":
        order.sort(key=lambda number: -len(texts[number]))
    chosen = [texts[number] for number in order]
    if side == "loop":
        seconds, vectors = by_loop(model, chosen)
    else:
        seconds, vectors = by_vllm(model, chosen, json.loads(engine))
    back = np.empty_like(vectors)
    back[order] = vectors
    np.save(f"{result}.npy", back)
    Path(result).write_text(json.dumps({"seconds": seconds, "rows": len(texts)}))
    os._exit(0)  # vLLM may abort while its threads are taken apart


if __name__ == "__main__":
    main()
