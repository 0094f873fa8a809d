"""The memory that a plan needs, as text."""

from collections.abc import Iterator

from llmbatch.core import units
from llmbatch.core.units import count
from llmbatch.sizing.memory import Memory

_BLANK = " " * 10


def lines(memory: Memory, device: str) -> Iterator[str]:
    """The lines about the memory of the device that is called so."""
    weights, usable = units.size(memory.weight_bytes), units.size(memory.usable_bytes)
    source = "as the job's last engine said" if memory.measured else "by formula"
    yield f"memory    {device}: {weights} of {usable} for weights,"
    yield f"{_BLANK}{_cache_size(memory)} ({source})"
    if memory.fits:
        yield (
            f"{_BLANK}up to {count(memory.batch, 'request')} run at once (the cache holds "
            f"{memory.batch_mean:,} of the mean length, {memory.batch_longest:,} of the longest)"
        )
    else:
        yield f"{_BLANK}it does not fit"
    yield from (f"{_BLANK}{line}" for line in memory.advice)


def _cache_size(memory: Memory) -> str:
    return (
        f"{units.size(memory.cache_bytes)} for a cache of {memory.cache_tokens:,} tokens, "
        f"{units.size(memory.token_bytes)} each"
    )
