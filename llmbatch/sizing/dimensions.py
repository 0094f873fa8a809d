"""The sizes of a transformer, and the parameters, bytes and operations that follow from them.

The names of a configuration (config.json) are read by `sizing/model_config`. Attention with fewer
heads for keys and values than for queries: Ainslie et al. 2023, "GQA". One latent vector a token
instead of keys and values: DeepSeek-AI 2024, "DeepSeek-V2". A mixture of experts: Shazeer et al.
2017; Jiang et al. 2024, "Mixtral of Experts".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Experts:
    """The sizes of a mixture of experts, for each of its layers: `count` experts of width
    `intermediate`, of which a token uses `per_token`; `shared`: the width of the part that every
    token uses. `dense_layers`: layers that have one wide network instead."""

    count: int
    per_token: int
    intermediate: int
    shared: int = 0
    dense_layers: int = 0


@dataclass(frozen=True, slots=True)
class Latent:
    """Attention over one latent vector a token: ranks of keys and values (`kv_rank`) and queries
    (`q_rank`, 0: full), head sizes with (`rope`) and without position (`nope`), of `value`s."""

    kv_rank: int
    q_rank: int
    rope: int
    nope: int
    value: int


@dataclass(frozen=True, slots=True)
class Quantisation:
    """Matrices kept in fewer bits: `bits` of each number, scales and zero points included.
    Embeddings, head, router and norms keep the model's own type; with `experts_only` all matrices
    but those of the experts do. `method`: its name."""

    method: str
    bits: float
    experts_only: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """A model's sizes. `value_bytes`: of a number that is not quantised. `window_layers`: layers
    that see only the last `window` tokens. `gated`: three matrices in a feed-forward network, else
    two. `small`: numbers beside the matrices (norms, biases). `context`: the longest sequence that
    it was made for (0: not known)."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    tied: bool = False
    gated: bool = True
    value_bytes: int = 2
    small: int = 0
    window: int = 0
    window_layers: int = 0
    context: int = 0
    experts: Experts | None = None
    latent: Latent | None = None
    quantisation: Quantisation | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self | None:
        """From the result of `dataclasses.asdict`; None where there is none."""
        if not value:
            return None
        parts: dict[str, Any] = {"experts": Experts, "latent": Latent, "quantisation": Quantisation}
        made = {name: parts[name](**value[name]) for name in parts if value.get(name)}
        return cls(**{**value, **made})

    @property
    def parameters(self) -> int:
        """All numbers of the model."""
        embeddings = self.vocabulary * self.hidden * (1 if self.tied else 2)
        return self._matrices(self._all_experts) + self._router_values + embeddings + self.small

    @property
    def active_parameters(self) -> int:
        """The numbers that a token needs: of a mixture of experts only those that it is sent to."""
        idle = self._matrices(self._all_experts) - self._matrices(self._chosen_experts)
        return self.parameters - idle

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights in memory."""
        plain = self.parameters - self._matrices(self._all_experts)
        return round(self._matrix_bytes(self._all_experts) + plain * self.value_bytes)

    @property
    def head_values(self) -> int:
        """Weights of the head, which turns a state into the scores of all tokens."""
        return self.vocabulary * self.hidden

    @property
    def matrix_values(self) -> int:
        """Weights of all matrices but embeddings and head."""
        return self._matrices(self._all_experts) + self._router_values

    @property
    def active_values(self) -> int:
        """Those of `matrix_values` that a token is multiplied with."""
        return self._matrices(self._chosen_experts) + self._router_values

    def attention_operations(self, pairs: float) -> float:
        """Operations of attention over so many pairs of a token and one that it sees: each is two
        in the product of query and key, and two in the sum of the values."""
        if self.latent is None:
            return 4 * self.layers * self.heads * self.head_dim * pairs
        sizes = self.latent.nope + self.latent.rope + self.latent.value
        return 2 * self.layers * self.heads * sizes * pairs

    def step_bytes(self, batch: float) -> float:
        """Bytes of the weights, head included, that a step of the decoder reads for `batch` tokens.

        Of a layer's E experts, if each token chooses k of them and all are equally likely,
        E (1 - (1 - k/E)^batch) are read by some token.
        """
        touched = 0.0
        if self.experts is not None:
            each = self.experts.per_token / self.experts.count
            touched = self.experts.count * (1 - (1 - each) ** batch)
        plain = (self._router_values + self.head_values) * self.value_bytes
        return self._matrix_bytes(touched) + plain

    def token_bytes(self, cache_dtype: str = "auto") -> int:
        """Bytes of the keys and values of one token in all layers, in a cache of `cache_dtype`."""
        return self._layer_token_bytes(cache_dtype) * self.layers

    def cache_bytes(self, tokens: float, cache_dtype: str = "auto", ahead: int = 0) -> float:
        """Bytes of the keys and values of a sequence of `tokens`. Layers with a window keep no more
        than the window and the tokens that are read `ahead` in one step."""
        short = min(tokens, self.window + ahead) if self.window_layers else 0.0
        full = self.layers - self.window_layers
        return self._layer_token_bytes(cache_dtype) * (full * tokens + self.window_layers * short)

    def _layer_token_bytes(self, cache_dtype: str) -> int:
        if self.latent is not None:
            values = self.latent.kv_rank + self.latent.rope
        else:
            values = 2 * self.kv_heads * self.head_dim
        return values * cache_value_bytes(cache_dtype, self.value_bytes)

    def _matrix_bytes(self, experts: float) -> float:
        """Bytes of the matrices of all layers with so many of their experts."""
        values = self._matrices(experts)
        if self.quantisation is None:
            return values * self.value_bytes
        plain = self._matrices(0) if self.quantisation.experts_only else 0
        return plain * self.value_bytes + (values - plain) * self.quantisation.bits / 8

    @property
    def _all_experts(self) -> float:
        return self.experts.count if self.experts else 0

    @property
    def _chosen_experts(self) -> float:
        return self.experts.per_token if self.experts else 0

    @property
    def _router_values(self) -> int:
        if self.experts is None:
            return 0
        return (self.layers - self.experts.dense_layers) * self.hidden * self.experts.count

    def _matrices(self, experts: float) -> int:
        """Weights of the matrices of all layers with so many of their experts."""
        per_width = (3 if self.gated else 2) * self.hidden
        wide = self.layers if self.experts is None else self.experts.dense_layers
        total = self.layers * self._attention_values + wide * per_width * self.intermediate
        if self.experts is not None:
            width = experts * self.experts.intermediate + self.experts.shared
            total += round((self.layers - wide) * per_width * width)
        return total

    @property
    def _attention_values(self) -> int:
        if self.latent is None:
            return 2 * self.hidden * self.head_dim * (self.heads + self.kv_heads)
        sizes, heads = self.latent, self.heads
        queries = heads * (sizes.nope + sizes.rope)
        rank = sizes.q_rank
        query = rank * (self.hidden + queries) if rank else self.hidden * queries
        down = self.hidden * (sizes.kv_rank + sizes.rope)
        up = sizes.kv_rank * heads * (sizes.nope + sizes.value)
        return query + down + up + heads * sizes.value * self.hidden


def cache_value_bytes(cache_dtype: str, value_bytes: int) -> int:
    """Bytes of a number in a cache of vLLM's `kv_cache_dtype`; "auto" is the model's own type."""
    if cache_dtype.startswith(("fp8", "int8")):
        return 1
    return {"bfloat16": 2, "float16": 2, "half": 2, "float32": 4}.get(cache_dtype, value_bytes)
