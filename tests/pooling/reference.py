"""Numbers of transformers with the same weights, one text at a time, in float32."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


class Reference:
    """A model of transformers. `head`: with its classification head."""

    def __init__(self, folder: Path, *, head: bool = False) -> None:
        import torch
        from transformers import (
            AutoModel,
            AutoModelForSequenceClassification,
            AutoTokenizer,
        )

        kind: Any = AutoModelForSequenceClassification if head else AutoModel
        self._torch = torch
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._model: Any = kind.from_pretrained(folder, dtype=torch.float32).eval()

    def ids(self, text: str, other: str | None = None) -> Any:
        """The model's input for a text or a pair, not cut."""
        return self.tokenizer(text, other, return_tensors="pt")

    def pooled(self, inputs: Any, method: str) -> Numbers:
        """The vector of a text, pooled by "cls", "mean" or "last"."""
        with self._torch.no_grad():
            states = self._model(**inputs).last_hidden_state[0].double().numpy()
        vector = {"cls": states[0], "last": states[-1], "mean": states.mean(axis=0)}[method]
        return np.asarray(vector, np.float64)

    def logits(self, text: str, other: str | None = None) -> Numbers:
        """The numbers of the classification head as they are."""
        return self.logits_of(self.ids(text, other))

    def logits_of(self, inputs: Any) -> Numbers:
        """The same for the model's input."""
        with self._torch.no_grad():
            found = self._model(**inputs).logits[0]
        return np.asarray(found.double().numpy(), np.float64)


def unit(vector: Numbers) -> Numbers:
    """The vector with length 1."""
    return np.asarray(vector / np.linalg.norm(vector), np.float64)


def cosines(ours: Sequence[Numbers], theirs: Sequence[Numbers]) -> float:
    """The smallest cosine of two vectors of the same text."""
    return min(float(unit(a) @ unit(b)) for a, b in zip(ours, theirs, strict=True))
