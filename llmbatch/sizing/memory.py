"""The fit of a model and its cache to a device, and the number of requests that run at once.

The cache is paged (Kwon et al. 2023, "PagedAttention"): a sequence takes whole blocks for the
tokens that it has, and no more, so the memory beside the weights divides into tokens.
"""

from dataclasses import dataclass

from llmbatch.sizing import memory_advice
from llmbatch.sizing.device import Device
from llmbatch.sizing.dimensions import Shape
from llmbatch.sizing.memory_advice import GIB, MemoryNeed, MemoryRoom
from llmbatch.sizing.settings import EngineSettings

DEVICE_SHARE = 0.92
"""The share of a GPU's memory that vLLM takes by default (`gpu_memory_utilization`)."""
RESERVE = 3 * GIB
"""On each GPU, for activations, captured graphs and what CUDA takes: an assumption, on the large
side for small models. On a CPU the size of the cache is given, so that nothing need be assumed."""
LARGE_DEVICE = 70 * GIB
"""From this memory on vLLM runs as many sequences at once as we ever ask for, but on an A100."""
FEWEST_SEQUENCES, MOST_SEQUENCES = 256, 1024
SEQUENCE_TOKENS = 512
"""Prompt and answer of a usual row."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of all devices together, tokens, and requests.

    `usable_bytes`: what the engine may use; `weight_bytes`: the model's; `reserve_bytes`: taken
    for activations and captured graphs; `cache_bytes`: the rest, for keys and values (0: there is
    none). `token_bytes`: of a token in the cache; `cache_tokens`: how many fit, in sequences of the
    largest length. `max_num_seqs`, `max_model_len`: the engine's settings, or its defaults
    (0: not known). `batch_mean`, `batch_longest`: requests that the cache holds
    at once if all have the mean length, or the largest; `batch`: how many run at once, by that and
    by `max_num_seqs`. `measured`: a started engine has reported the size of the cache; else all
    follows from formulas. `fits`: the engine can start, and the longest request can run.
    `advice`: changes of the settings, a line each.
    """

    usable_bytes: int
    weight_bytes: int
    reserve_bytes: int
    cache_bytes: int
    token_bytes: int
    cache_tokens: int
    max_num_seqs: int
    max_model_len: int
    batch_mean: int
    batch_longest: int
    batch: int
    measured: bool
    fits: bool
    advice: list[str]


def fit(
    shape: Shape,
    device: Device,
    *,
    weight_bytes: int | None = None,
    settings: EngineSettings,
    tokens_mean: float,
    tokens_longest: int,
) -> Memory:
    """The fit of `shape` to `device` (and its `count`).

    `weight_bytes`: of the model's files, where they are known better than by formula. `settings`:
    those of the engine, as far as they are known; a size of its cache in tokens was
    reported by a started engine. `tokens_mean`, `tokens_longest`: prompt and answer of a request,
    together.
    """
    weights = weight_bytes or shape.weight_bytes
    need = MemoryNeed(shape, device, weights, settings, tokens_mean, tokens_longest)
    room = _room(need)
    sequences = _max_num_seqs(need)
    batch_mean = int(room.cache // need.sequence_bytes(tokens_mean))
    return Memory(
        usable_bytes=room.usable,
        weight_bytes=weights,
        reserve_bytes=room.reserve,
        cache_bytes=room.cache,
        token_bytes=need.token_bytes,
        cache_tokens=int(room.cache / need.full_bytes * need.length),
        max_num_seqs=sequences,
        max_model_len=need.max_model_len,
        batch_mean=batch_mean,
        batch_longest=int(room.cache // need.sequence_bytes(tokens_longest)),
        batch=min(sequences, batch_mean),
        measured=room.measured,
        fits=room.holds_weights and room.holds(need),
        advice=memory_advice.advise(need, room, sequences),
    )


def usual_sequences(memory: int, weights: int, token: int) -> int:
    """The number of sequences of a usual length that the cache will hold, within bounds.

    `memory` of all devices and `weights` in bytes, `token`: bytes of one token in the cache.
    """
    cache = max(0, int(memory * DEVICE_SHARE) - weights - RESERVE)
    return max(FEWEST_SEQUENCES, min(MOST_SEQUENCES, cache // (token * SEQUENCE_TOKENS)))


def usual_cpu_cache(memory: int) -> int:
    """Bytes of the cache on a CPU with so much memory: an eighth, between 1 and 16 GiB."""
    return max(1, min(16, memory // (8 * GIB))) * GIB


def _room(need: MemoryNeed) -> MemoryRoom:
    device = need.device
    usable, reserve = device.total_memory, 0
    if device.kind != "cpu":
        usable = int(usable * (need.settings.gpu_memory_utilization or DEVICE_SHARE))
        reserve = RESERVE * device.count
    cache, measured = _cache_bytes(need, usable - need.weight_bytes - reserve)
    return MemoryRoom(usable, reserve, cache, measured, need.weight_bytes + reserve)


def _cache_bytes(need: MemoryNeed, free: int) -> tuple[int, bool]:
    """Bytes of the cache, and True if an engine has reported them. `free`: beside the weights."""
    known = need.settings
    tokens = known.kv_cache_tokens or (known.kv_cache_blocks or 0) * need.block_size
    if tokens:
        return round(tokens * need.full_bytes / need.length), bool(known.kv_cache_tokens)
    if known.kv_cache_memory_bytes:
        return known.kv_cache_memory_bytes * need.device.count, False
    if need.device.kind == "cpu" and not known.gpu_memory_utilization:
        return usual_cpu_cache(need.device.memory_bytes), False
    return max(0, free), False


def _max_num_seqs(need: MemoryNeed) -> int:
    if need.settings.max_num_seqs:
        return need.settings.max_num_seqs
    device = need.device
    if device.kind == "cpu":
        return FEWEST_SEQUENCES
    if device.memory_bytes >= LARGE_DEVICE and "a100" not in device.name.lower():
        return MOST_SEQUENCES
    return usual_sequences(device.total_memory, need.weight_bytes, need.token_bytes)
