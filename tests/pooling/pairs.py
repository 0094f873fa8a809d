"""Jobs of a cross-encoder and of a classifier, in this process, held against
transformers; prints JSON.

Run as `python -m tests.pooling.pairs`. The models are random, and made here.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import llmbatch
from tests.pooling import models
from tests.pooling.reference import Reference

ENVIRONMENT = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "1"}
ROWS = [
    ("where is my parcel", "the parcel was late", "a"),
    ("where is my parcel", "how do i reset my password", "a"),
    ("hello world", "[SEP] please help, the screen is broken", "b"),
    ("hello world", "the order is late " * 30, "b"),
    ("hello world", "", "b"),
]
LABELS = ("billing", "refund", "other")
NAMES = {str(place): name for place, name in enumerate(LABELS)}
OPTIONS = {"dtype": "float32", "enforce_eager": True, "kv_cache_memory_bytes": 64 << 20}


def run(folder: Path, name: str, model: Path, **settings: Any) -> dict[str, Any]:
    """A job of the rows: its answered rows, its errors, and how the engine said that it pools."""
    rows = [dict(zip("qdg", row, strict=True)) for row in ROWS]
    output = folder / f"{name}.jsonl"
    done = llmbatch.run(rows, model=str(model), output=str(output), engine=OPTIONS, **settings)
    errors = folder / f"{name}.errors.jsonl"
    report = json.loads((done.state / "report.json").read_text())
    return {
        "code": int(done.exit_code),
        "records": records(output),
        "errors": records(errors) if errors.exists() else [],
        "pooling": report["engine"]["pooling"],
    }


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def scores(model: Path) -> list[float]:
    """Those of transformers for the first three rows; in the third no text is a control token."""
    reference = Reference(model, head=True)
    made = [float(reference.logits(query, document)[0]) for query, document, _ in ROWS[:2]]
    return [1 / (1 + np.exp(-each)) for each in made]


def cut_score(model: Path) -> float:
    """That of transformers for the fourth row, whose document its own tokenizer cuts."""
    reference = Reference(model, head=True)
    query, document, _ = ROWS[3]
    inputs = reference.tokenizer(
        query, document, return_tensors="pt", truncation="only_second", max_length=64
    )
    return float(1 / (1 + np.exp(-reference.logits_of(inputs)[0])))


def probabilities(model: Path) -> list[list[float]]:
    """Those of transformers for the first two documents."""
    reference = Reference(model, head=True)
    logits = [reference.logits(document) for _, document, _ in ROWS[:2]]
    raised = [np.exp(each - each.max()) for each in logits]
    return [list(map(float, each / each.sum())) for each in raised]


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        pairs = models.bert(folder / "pairs", labels=1)
        head = models.bert(folder / "head", labels=3, id2label=NAMES)
        score = {"task": "score", "query": "{{ q }}", "document": "{{ d }}", "overflow": "truncate"}
        result = {
            "scored": run(folder, "scored", pairs, **score, top=2),
            "scores": scores(pairs),
            "cut_score": cut_score(pairs),
            "classified": run(folder, "classified", head, task="classify", prompt="{{ d }}"),
            "probabilities": probabilities(head),
        }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    os.environ.update(ENVIRONMENT)
    main()
