"""The devices of each replica on this machine, as its environment names them."""

import os
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.core.units import count
from llmbatch.engines import parallel_sizes
from llmbatch.engines.replicas.count import ReplicaCount
from llmbatch.sizing import nvidia
from llmbatch.sizing.device import Device

GPUS = "CUDA_VISIBLE_DEVICES"
CORES = "VLLM_CPU_OMP_THREADS_BIND"
NUMBER = "LLMBATCH_REPLICA"
"""The variable that tells a replica its number, from 0."""
_NO_LISTS = ("", "auto", "nobind")
_CPUS = Path("/sys/devices/system/cpu")

Place = Mapping[str, str]


def find(
    wished: ReplicaCount, options: Mapping[str, Any], device: Device | None, *, is_ours: bool
) -> list[Place]:
    """The environment of each replica, beside ours. `device`: that of the engine, None: not known;
    `is_ours`: false for an engine from outside, which may need no device of its own. Raises
    UsageError where there is room for fewer than the least number."""
    size = parallel_sizes.product(options)
    if device is None or device.kind != "cpu":
        gpus = nvidia.visible()
        if gpus or is_ours:
            return _on_gpus(gpus, wished, size, is_ours=is_ours)
    return _on_cores(wished, size, is_ours=is_ours)


def _on_gpus(gpus: Sequence[str], wished: ReplicaCount, size: int, *, is_ours: bool) -> list[Place]:
    room = len(gpus) // size
    if room < wished.least:
        if not is_ours:
            return _anywhere(wished)
        each = f", each on {size}" if size > 1 else ""
        there = f"{GPUS} names {len(gpus)}" if GPUS in os.environ else f"there are {len(gpus)}"
        raise _too_many(wished, f"{each}, and of GPUs {there}", room)
    groups = [gpus[size * n : size * (n + 1)] for n in range(_number(wished, room))]
    return [{GPUS: ",".join(group)} for group in groups]


def _on_cores(wished: ReplicaCount, size: int, *, is_ours: bool) -> list[Place]:
    given = os.environ.get(CORES, "")
    if given not in _NO_LISTS:
        lists = given.split("|")
        room = len(lists) // size
        if room < wished.least:
            raise _too_many(wished, f" of {count(size, 'list')} each; {CORES} has {given}", room)
    else:
        cores = _cores()
        room = len(cores) // size
        if room < wished.least:
            if not is_ours:
                return _anywhere(wished)
            raise _too_many(wished, f", and there are {count(len(cores), 'core')}", room)
        # More than one in a part of the machine with memory of its own only share that memory.
        nodes = len({node for node, _, _ in cores})
        room = room if wished.most is not None else max(wished.least, nodes // size)
        lists = _divided([cpu for _, _, cpu in cores], size * _number(wished, room))
    groups = [lists[size * n : size * (n + 1)] for n in range(_number(wished, room))]
    return [{CORES: "|".join(group)} for group in groups]


def _anywhere(wished: ReplicaCount) -> list[Place]:
    return [{} for _ in range(wished.least)]


def _number(wished: ReplicaCount, room: int) -> int:
    return room if wished.most is None else min(wished.most, room)


def _too_many(wished: ReplicaCount, why: str, room: int) -> UsageError:
    advice = f"ask for {room}, or auto" if room else "leave --replicas out"
    return UsageError(f"--replicas: {wished.least} asked for{why}; {advice}")


def _cores() -> list[tuple[int, int, int]]:
    """Node, core and CPU of each core that we may use, one CPU of each core."""
    allowed = sorted(os.sched_getaffinity(0))
    found = sorted((_node(cpu), _core(cpu), cpu) for cpu in allowed)
    return [next(cpus) for _, cpus in groupby(found, key=lambda each: each[:2])]


def _node(cpu: int) -> int:
    return next((int(path.name[4:]) for path in (_CPUS / f"cpu{cpu}").glob("node[0-9]*")), 0)


def _core(cpu: int) -> int:
    """A number that CPUs of the same core have in common."""
    folder = _CPUS / f"cpu{cpu}" / "topology"
    try:
        package = int((folder / "physical_package_id").read_text())
        return (package << 16) + int((folder / "core_id").read_text())
    except (OSError, ValueError):
        return cpu


def _divided(cpus: Sequence[int], parts: int) -> list[str]:
    """Lists of neighbours, as long as each other, or one longer."""
    ends = [len(cpus) * n // parts for n in range(parts + 1)]
    return [",".join(map(str, cpus[begin:end])) for begin, end in pairwise(ends)]
