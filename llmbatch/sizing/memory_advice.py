"""Advice for a model that does not fit a device, or leaves little room for requests."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from llmbatch.core.units import count
from llmbatch.sizing.device import Device
from llmbatch.sizing.dimensions import Shape
from llmbatch.sizing.settings import EngineSettings

GIB = 1 << 30
BLOCK_SIZE = 16
_LENGTH_STEP = 128
_STEP = 8192
"""Tokens in a step by default (`max_num_batched_tokens`), as on most devices."""
_MOST_DEVICES = 64
# What a number takes with scales of groups of 128.
_FOUR_BITS, _EIGHT_BITS = 4.25, 8.0


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """The memory that a model and its requests need on a device (see `sizing.memory.fit`)."""

    shape: Shape
    device: Device
    weight_bytes: int
    settings: EngineSettings
    tokens_mean: float
    tokens_longest: int

    @property
    def max_model_len(self) -> int:
        given = self.settings.max_model_len or 0
        return given if given > 0 else self.shape.context

    @property
    def block_size(self) -> int:
        return self.settings.block_size or BLOCK_SIZE

    @property
    def cache_dtype(self) -> str:
        return self.settings.kv_cache_dtype or "auto"

    @property
    def copies(self) -> float:
        """The copies of a token on all devices together: a head is not divided among them."""
        pipeline = self.settings.pipeline_parallel_size or 1
        tensor = max(1, self.device.count // pipeline)
        return tensor / min(tensor, 1 if self.shape.latent else self.shape.kv_heads)

    @property
    def token_bytes(self) -> int:
        return math.ceil(self.shape.token_bytes(self.cache_dtype) * self.copies)

    def sequence_bytes(self, tokens: float, ahead: int = 0) -> float:
        """Bytes of a sequence in the cache, in whole blocks; `ahead`: prompt tokens of a step."""
        whole = max(1, math.ceil(tokens / self.block_size)) * self.block_size
        return _paged(self.shape).cache_bytes(whole, self.cache_dtype, ahead) * self.copies

    @property
    def full_bytes(self) -> float:
        """Bytes of the longest sequence that the engine may be given, for which it must have room.
        It counts the size of its cache in tokens of such a sequence."""
        return self.sequence_bytes(self.length, self.settings.max_num_batched_tokens or _STEP)

    @property
    def length(self) -> int:
        """Tokens of the longest sequence that the engine may be given."""
        return max(1, self.max_model_len or self.tokens_longest)


def _paged(shape: Shape) -> Shape:
    """With the layers that vLLM adds where some have a window: it puts equally many into each
    group, as many as the rarer kind has (its `kv_cache_utils`, in 2026)."""
    wide, narrow = shape.layers - shape.window_layers, shape.window_layers
    if not wide or not narrow:
        return shape
    group = max(wide, narrow) if max(wide, narrow) < 1.5 * min(wide, narrow) else min(wide, narrow)
    wide, narrow = (math.ceil(layers / group) * group for layers in (wide, narrow))
    return replace(shape, layers=wide + narrow, window_layers=narrow)


@dataclass(frozen=True, slots=True)
class MemoryRoom:
    """Bytes of all devices together: `usable` ones, the `reserve`, and those of the `cache`.
    `measured`: an engine has reported the size of the cache; `taken`: weights and reserve."""

    usable: int
    reserve: int
    cache: int
    measured: bool
    taken: int

    @property
    def holds_weights(self) -> bool:
        return self.measured or (self.cache > 0 and self.taken + self.cache <= self.usable)

    def holds(self, need: MemoryNeed) -> bool:
        """True if the cache holds the longest request, and the longest that might come."""
        return self.cache >= max(need.full_bytes, need.sequence_bytes(need.tokens_longest))


def advise(need: MemoryNeed, room: MemoryRoom, sequences: int) -> list[str]:
    """A line for each thing to change; `sequences`: the engine runs no more at once."""
    if not room.holds_weights:
        return [*_too_heavy(need, room)]
    if not room.holds(need):
        return [*_too_long(need, room)]
    return [*_small_batch(need, room.cache, sequences)]


def _too_heavy(need: MemoryNeed, room: MemoryRoom) -> Iterator[str]:
    """The weights alone are too much."""
    yield (
        f"the weights ({need.weight_bytes / GIB:.1f} GiB) do not fit: "
        f"{max(0, room.usable - room.reserve) / GIB:.1f} GiB can be used for them"
    )
    yield from _more_devices(need, room)
    if need.shape.quantisation is None:
        share = need.shape.value_bytes * 8
        yield (
            "use a quantised version of the model: about "
            f"{need.weight_bytes * _EIGHT_BITS / share / GIB:.1f} GiB with 8 bits, "
            f"{need.weight_bytes * _FOUR_BITS / share / GIB:.1f} GiB with 4"
        )


def _too_long(need: MemoryNeed, room: MemoryRoom) -> Iterator[str]:
    """The weights fit, but not the longest sequence."""
    if need.sequence_bytes(need.tokens_longest) <= room.cache:
        length = math.ceil(need.tokens_longest / _LENGTH_STEP) * _LENGTH_STEP
        fitting = min(length, _tokens_that_fit(need, room.cache))
        yield (
            f"--engine-arg max_model_len={fitting}: the longest request needs "
            f"{need.tokens_longest:,} tokens, and the cache does not hold {need.max_model_len:,}"
        )
        return
    yield (
        f"the cache holds {_tokens_that_fit(need, room.cache):,} tokens, the longest request needs "
        f"{need.tokens_longest:,}: shorten it or lower max_tokens"
    )
    if need.device.kind == "cpu" or need.settings.kv_cache_memory_bytes:
        asked = math.ceil(need.sequence_bytes(need.tokens_longest) / GIB) * GIB
        yield f"--engine-arg kv_cache_memory_bytes={asked}: a larger cache"
    yield from _smaller_cache(need)
    yield from _more_devices(need, room)


def _small_batch(need: MemoryNeed, cache: int, sequences: int) -> Iterator[str]:
    """All fits, but more requests at once would use the device better: as long as a step reads
    more for the weights than for keys and values, a larger batch costs little."""
    each = need.sequence_bytes(need.tokens_mean)
    holds = int(cache // each)
    batch = max(1, min(holds, sequences))
    if need.shape.step_bytes(batch) / batch <= each:
        return
    if holds >= 2 * sequences:
        larger = 1 << (holds.bit_length() - 1)
        held = count(holds, "request")
        yield f"--engine-arg max_num_seqs={larger}: the cache holds {held} at once"
    elif holds < sequences:
        yield f"the cache holds {count(holds, 'request')} of the mean length at once, a small batch"
        if need.device.kind == "cpu" or need.settings.kv_cache_memory_bytes:
            yield "give it more by --engine-arg kv_cache_memory_bytes=BYTES"
        yield from _smaller_cache(need)


def _smaller_cache(need: MemoryNeed) -> Iterator[str]:
    if need.shape.token_bytes("fp8") < need.shape.token_bytes(need.cache_dtype):
        factor = need.shape.token_bytes(need.cache_dtype) / need.shape.token_bytes("fp8")
        yield (
            f"--engine-arg kv_cache_dtype=fp8: {factor:.0f} times as many tokens in the cache "
            "(answers may change, so all rows are computed again)"
        )


def _more_devices(need: MemoryNeed, room: MemoryRoom) -> Iterator[str]:
    """The fewest devices, in powers of two, that hold weights and the longest request."""
    if need.device.kind == "cpu":
        return
    each = (room.usable - room.reserve) / need.device.count
    cache = need.sequence_bytes(need.tokens_longest) / need.copies
    devices = need.device.count * 2
    while devices <= min(_MOST_DEVICES, need.shape.heads):
        copies = max(1, devices / (1 if need.shape.latent else need.shape.kv_heads))
        if need.shape.heads % devices == 0 and devices * each > need.weight_bytes + cache * copies:
            yield f"--engine-arg tensor_parallel_size={devices}: {devices} of these devices hold it"
            return
        devices *= 2


def _tokens_that_fit(need: MemoryNeed, cache: int) -> int:
    """The longest sequence that the cache holds, in whole blocks, up to what is asked for."""
    low, high = 0, math.ceil(max(need.length, need.tokens_longest) / need.block_size)
    while low < high:
        middle = (low + high + 1) // 2
        if need.sequence_bytes(middle * need.block_size) <= cache:
            low = middle
        else:
            high = middle - 1
    return low * need.block_size
