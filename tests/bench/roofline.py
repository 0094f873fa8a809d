"""How fast a device could be at best: the serial roofline of a dense transformer.

Reading a prompt is bound by arithmetic, making tokens by memory: a step of the decoder reads all
weights once for all sequences of the batch, and of each sequence the keys and values so far. The
two phases are taken one after the other (Williams, Waterman and Patterson 2009 for the model; the
counts of operations are those of the matrix products and of attention).
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shape:
    """A Qwen3 model's sizes."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    bytes_per_value: int = 2

    @property
    def matrix_values(self) -> int:
        """Weights that every token is multiplied with, embeddings and head left out."""
        attention = 2 * self.hidden * self.head_dim * (self.heads + self.kv_heads)
        return self.layers * (attention + 3 * self.hidden * self.intermediate)

    @property
    def step_bytes(self) -> int:
        """What one step of the decoder reads of the weights, its head included."""
        return (self.matrix_values + self.vocabulary * self.hidden) * self.bytes_per_value

    @property
    def token_bytes(self) -> int:
        """The keys and values of one token."""
        return self.layers * 2 * self.kv_heads * self.head_dim * self.bytes_per_value

    def config(self, base: dict[str, Any]) -> dict[str, Any]:
        """config.json of a model of this shape; `base` is that of another Qwen3 model."""
        return base | {
            "num_hidden_layers": self.layers,
            "layer_types": ["full_attention"] * self.layers,
            "hidden_size": self.hidden,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "intermediate_size": self.intermediate,
            "vocab_size": self.vocabulary,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": False,
        }


@dataclass(frozen=True)
class Ceilings:
    """What a device reaches at best: operations and bytes a second."""

    operations: float
    bandwidth: float


@dataclass(frozen=True)
class Load:
    """The average request: tokens of its prompt, those of them cached, tokens of its answer."""

    prompt: float
    cached: float
    output: float


def seconds(shape: Shape, load: Load, batch: int, ceilings: Ceilings) -> float:
    """The least time for one request of `load` when `batch` of them run at once."""
    new = load.prompt - load.cached
    pairs = (load.prompt**2 - load.cached**2) / 2
    attention = 4 * shape.layers * shape.heads * shape.head_dim * pairs
    prefill = (2 * shape.matrix_values * new + attention) / ceilings.operations
    context = load.prompt + load.output / 2
    read = shape.step_bytes / batch + shape.token_bytes * context
    # The first token comes with the prompt.
    decode = max(0.0, load.output - 1) * read / ceilings.bandwidth
    return prefill + decode
