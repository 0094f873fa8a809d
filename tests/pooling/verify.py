"""Vectors, scores and heads of the vLLM engine, held against transformers: `make verify-pooling`.

Models whose files say something else than vLLM takes for a default are among them. Prints a table,
and ends with 1 if a line is not held.
"""

import base64
import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from llmbatch.core.outcomes import Completed
from llmbatch.core.records import Ask, Message, Request, Role, Sampling
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.vllm import kinds
from tests.pooling import models
from tests.pooling.reference import Numbers, Reference, cosines, unit

SAMPLE = Path(__file__).parents[2] / "samples" / "model"
TEXTS = (
    "hello world",
    "please help, the screen is broken",
    "where is my parcel",
    "I was charged twice for the order and the refund was late. " * 3,
    "[SEP] how do I reset my password [CLS]",
    "a",
)
PAIRS = tuple(itertools.pairwise(TEXTS))
Compare = Callable[[Reference, list[Numbers]], float]


class Case(NamedTuple):
    """`off`: by how much the engine's numbers differ from those of transformers, and `most`: by how
    much they may. For vectors that is 1 - cosine."""

    name: str
    folder: Path
    ask: Ask
    off: Compare
    most: float


def request(number: int, texts: Sequence[str], ask: Ask) -> Request:
    """The request of a text or of a pair."""
    roles: tuple[Role, ...] = ("query", "document") if len(texts) > 1 else ("text",)
    messages = tuple(Message(role, text) for role, text in zip(roles, texts, strict=True))
    return Request(str(number), messages, Sampling(), ask=ask)


def answers(case: Case) -> list[Numbers]:
    """The engine's numbers, by the order of the texts."""
    options = {"dtype": "float32", "enforce_eager": True, "kv_cache_memory_bytes": 64 << 20}
    config = EngineConfig(str(case.folder), options, os.devnull, ask=case.ask)
    texts = PAIRS if case.ask.kind == "score" else [(text,) for text in TEXTS]
    requests = [request(n, row, case.ask) for n, row in enumerate(texts)]
    with kinds.create(config) as engine:
        outcomes = {outcome.key: outcome for outcome in engine.run(iter(requests))}
    made = [outcomes[str(n)] for n in range(len(texts))]
    assert all(isinstance(outcome, Completed) for outcome in made), made
    return [np.frombuffer(base64.b64decode(one.text or ""), "<f4").astype(float) for one in made]


def vectors(method: str, *, plain: Sequence[str] = TEXTS) -> Compare:
    """One minus the smallest cosine. A text that holds control tokens is compared by its length
    alone: transformers takes them for such."""

    def compare(reference: Reference, ours: list[Numbers]) -> float:
        theirs = [reference.pooled(reference.ids(text), method) for text in plain]
        kept = [n for n, text in enumerate(plain) if "[SEP]" not in text]
        return 1 - cosines([ours[n] for n in kept], [theirs[n] for n in kept])

    return compare


def lengths(method: str, *, normalized: bool) -> Compare:
    """The largest difference of the lengths of vectors."""

    def compare(reference: Reference, ours: list[Numbers]) -> float:
        theirs = [reference.pooled(reference.ids(text), method) for text in TEXTS[:4]]
        wanted = [1.0 if normalized else float(np.linalg.norm(one)) for one in theirs]
        return max(abs(float(np.linalg.norm(a)) - b) for a, b in zip(ours, wanted, strict=False))

    return compare


def heads(function: Callable[[Numbers], Numbers], *, pairs: bool) -> Compare:
    """The largest difference of the numbers of a head."""

    def compare(reference: Reference, ours: list[Numbers]) -> float:
        rows = PAIRS if pairs else [(text, None) for text in TEXTS]
        theirs = [function(reference.logits(*row)) for row in rows]
        kept = [n for n, row in enumerate(rows) if "[SEP]" not in "".join(filter(None, row))]
        return max(float(np.abs(ours[n] - theirs[n]).max()) for n in kept)

    return compare


def sigmoid(logits: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-logits)), np.float64)


def softmax(logits: Numbers) -> Numbers:
    return np.asarray(np.exp(logits) / np.exp(logits).sum(), np.float64)


def same(logits: Numbers) -> Numbers:
    return logits


def cosine(reference: Reference, ours: list[Numbers]) -> float:
    """The largest difference of cosines of pairs."""
    made = [
        float(np.dot(*(unit(reference.pooled(reference.ids(text), "mean")) for text in pair)))
        for pair in PAIRS[:3]
    ]
    return max(abs(float(a[0]) - b) for a, b in zip(ours, made, strict=False))


_HEADS = ("cross", "raw", "three", "multi")


def cases(folder: Path, minilm: Path | None) -> Iterator[Case]:
    """The cases, their models made in `folder`."""
    embed, score = Ask("embed"), Ask("score")
    by_mean = Ask("embed", pooling="mean")
    if minilm is not None:
        yield Case("MiniLM, mean", minilm, embed, vectors("mean"), 1e-6)
        yield Case("MiniLM, length 1", minilm, embed, lengths("mean", normalized=True), 1e-6)
        yield Case("MiniLM, scores", minilm, score, cosine, 1e-5)
    last = Ask("embed", pooling="last")
    yield Case("decoder, last token", SAMPLE, last, vectors("last"), 1e-6)
    mean = models.embedder(models.copied(SAMPLE, folder / "mean"), "mean_tokens", normalize=False)
    yield Case("decoder, mean by its files", mean, embed, vectors("mean"), 1e-6)
    yield Case("the same, length", mean, embed, lengths("mean", normalized=False), 1e-3)
    plain = models.embedder(models.bert(folder / "bert"), "mean_tokens", normalize=False)
    yield Case("BERT, mean, not normalised", plain, embed, vectors("mean"), 1e-6)
    yield Case("the same, length", plain, embed, lengths("mean", normalized=False), 1e-4)
    cls = models.embedder(models.bert(folder / "cls"), "cls_token")
    yield Case("BERT, first token", cls, embed, vectors("cls"), 1e-6)
    none = models.bert(folder / "none")
    yield Case("BERT, --pooling mean", none, by_mean, vectors("mean"), 1e-6)
    cross = models.bert(folder / "cross", labels=1)
    yield Case("cross-encoder, sigmoid", cross, score, heads(sigmoid, pairs=True), 1e-5)
    name = "torch.nn.modules.linear.Identity"
    raw = models.bert(folder / "raw", labels=1, sbert_ce_default_activation_function=name)
    yield Case("cross-encoder, raw", raw, score, heads(same, pairs=True), 1e-4)
    three = models.bert(folder / "three", labels=3)
    yield Case("three labels", three, Ask("heads"), heads(softmax, pairs=False), 1e-5)
    multi = models.bert(folder / "multi", labels=3, problem_type="multi_label_classification")
    yield Case("independent labels", multi, Ask("heads"), heads(sigmoid, pairs=False), 1e-5)


def main() -> int:
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    minilm = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    failed = 0
    known: dict[tuple[Path, Ask], list[Numbers]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(Path(folder), minilm):
            asked = (case.folder, case.ask)
            if asked not in known:
                known[asked] = answers(case)
            reference = Reference(
                case.folder, head=bool(case.ask.kind == "heads" or "cross" in case.name)
            )
            off = case.off(reference, known[asked])
            failed += off > case.most
            print(f"{case.name:32} {off:10.2e}  (at most {case.most:.0e})", flush=True)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
