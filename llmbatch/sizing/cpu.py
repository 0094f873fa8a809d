"""This machine's CPU as a device."""

import ctypes
import functools
import os
import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from llmbatch.core import clock
from llmbatch.sizing.device import Device

# The most operations of a core in a clock cycle, by its flags, the best first: 16-bit products of
# AMX tiles and of vectors of 512 bits, then 32-bit ones of vectors (Intel's and AMD's optimisation
# manuals; two units, a multiplication and an addition for each number; some cores have one).
_OPERATIONS = (
    ("amx_bf16", 1024),
    ("avx512_bf16", 128),
    ("avx512f", 64),
    ("avx2", 32),
)
_LEAST_OPERATIONS = 16
_USUAL_HERTZ = 2.5e9
_COPIED = 32 << 20
"""Bytes that a thread copies at a time: with several threads more than most caches hold."""
_MOST_THREADS = 8
_ROUNDS = 3

_Buffer = ctypes.Array[ctypes.c_char]
_Pair = tuple[_Buffer, _Buffer]


@functools.cache
def detect() -> Device:
    """The cores that this process may use; measuring them takes about a tenth of a second."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    physical = psutil.cpu_count(logical=False) or 0
    cores = min(filter(None, (cores, physical)), default=1)
    name, flags = _described()
    kind, operations = next(
        ((flag, each) for flag, each in _OPERATIONS if flag in flags),
        ("no wide vectors", _LEAST_OPERATIONS),
    )
    hertz, how = _hertz()
    return Device(
        name=f"{name}, {cores} cores",
        kind="cpu",
        count=1,
        memory_bytes=psutil.virtual_memory().total,
        flops=cores * hertz * operations,
        bandwidth=_bandwidth(min(cores, _MOST_THREADS)),
        source=(
            f"{cores} cores x {hertz / 1e9:.1f} GHz ({how}) x {operations:,} operations "
            f"({kind}); bandwidth measured by copying"
        ),
    )


def name() -> str:
    """The name that the CPU reports."""
    return _described()[0]


def flags() -> frozenset[str]:
    """The abilities of the CPU, by their names in the kernel; empty where they are not known."""
    return _described()[1]


def _described() -> tuple[str, frozenset[str]]:
    """Name and flags, as far as the system reports them."""
    fields: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, colon, value = line.partition(":")
            if colon:
                fields.setdefault(key.strip(), value.strip())
    except OSError:
        pass
    flags = fields.get("flags") or fields.get("Features") or ""
    other = platform.processor() or platform.machine()
    return fields.get("model name") or other, frozenset(flags.split())


def _hertz() -> tuple[float, str]:
    """Clock cycles a second, and their source in a word."""
    import psutil

    try:
        frequency = psutil.cpu_freq()
    except Exception:  # some systems have no such file, or an empty one
        frequency = None
    megahertz = (frequency.max or frequency.current) if frequency else 0
    return (megahertz * 1e6, "nominal") if megahertz else (_USUAL_HERTZ, "assumed")


def _bandwidth(threads: int) -> float:
    """Bytes a second that are read and written while all threads copy; the best of a few rounds."""
    pairs: list[_Pair] = [(_buffer(), _buffer()) for _ in range(threads)]
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(_ROUNDS):
            began = clock.seconds()
            # Unlike a copy in Python itself, a call through ctypes lets the other threads run.
            list(pool.map(_copy, pairs))
            best = max(best, 2 * _COPIED * threads / max(1e-9, clock.seconds() - began))
    return best


def _copy(pair: _Pair) -> None:
    ctypes.memmove(pair[0], pair[1], _COPIED)


def _buffer() -> _Buffer:
    buffer = ctypes.create_string_buffer(_COPIED)
    ctypes.memset(buffer, 1, _COPIED)  # else its pages are not there yet
    return buffer
