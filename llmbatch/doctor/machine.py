"""The machine: its devices, memory, disks and limits."""

import contextlib
import fcntl
import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from llmbatch.core import units
from llmbatch.doctor.finding import Finding
from llmbatch.engines.vllm import defaults
from llmbatch.sizing import cpu, nvidia

GIB = 1 << 30
MIB = 1 << 20
_LEAST_MEMORY = 3 * GIB
"""vLLM's processes take about two on a CPU, before the model and its cache."""
_LEAST_SHARED = GIB
_FEW_FILES, _FEWEST_FILES = 4096, 256
_LITTLE_DISK, _LEAST_DISK = 5 * GIB, 64 * MIB
_LONGEST_TEMP = 70
"""Characters of the temporary folder's path, beyond which sockets lie elsewhere."""
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "lustre", "gpfs", "ceph"})


def look(folder: Path) -> Iterator[Finding]:
    """Everything but software. `folder`: where jobs would be written."""
    yield from _devices()
    yield _processor()
    yield _memory()
    yield from _shared_memory()
    yield from _disks(folder)
    yield from _locks(folder)
    yield from _limits()


def _devices() -> Iterator[Finding]:
    gpus = nvidia.installed()
    is_cpu_build = defaults.is_cpu_build()
    for gpu in gpus:
        state = f"{gpu.name}, {units.size(gpu.free)} of {units.size(gpu.total)} free"
        if is_cpu_build:
            advice = "the installed vLLM is that for CPUs: pip install 'llmbatch[cuda]'"
            yield Finding("GPU", state, "note", advice)
        elif gpu.free < 0.5 * gpu.total:
            advice = "others hold its memory: jobs queue for it with --device-lock wait"
            yield Finding("GPU", state, "note", advice)
        else:
            yield Finding("GPU", state)
    if not gpus and not is_cpu_build:
        advice = "nvidia-smi must list one, also in the container (docker run --gpus all)"
        yield Finding("GPU", "none is seen by the NVIDIA driver", "bad", advice)


def _processor() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    known = cpu.flags()
    widest = next((flag for flag in ("amx_tile", "avx512f", "avx2") if flag in known), None)
    found = f"{cpu.name()}, {units.count(cores or 1, 'core')} for this process, {widest or 'plain'}"
    if defaults.is_cpu_build() and widest is None and known:
        return Finding("CPU", found, "bad", "vLLM's CPU build needs AVX2 at least")
    if cores == 1:
        return Finding("CPU", found, "note", "two are better: vLLM keeps one for its front end")
    return Finding("CPU", found)


def _memory() -> Finding:
    free, total = psutil.virtual_memory().available, psutil.virtual_memory().total
    limit = _container_limit()
    if limit is not None and limit < total:
        total, free = limit, min(free, limit)
    found = f"{units.size(free)} of {units.size(total)} free"
    if free < _LEAST_MEMORY:
        advice = "vLLM needs about 3 GiB beside the model: end other programs, or raise the limit"
        return Finding("memory", found, "note", advice)
    return Finding("memory", found)


def _container_limit() -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/sys/fs/cgroup/memory.max").read_text())
    return None


def _shared_memory() -> Iterator[Finding]:
    try:
        whole = os.statvfs("/dev/shm")
    except OSError:
        advice = "vLLM's processes share memory there: mount a tmpfs"
        yield Finding("shared memory", "/dev/shm is not there", "bad", advice)
        return
    size = whole.f_blocks * whole.f_frsize
    found = f"{units.size(whole.f_bavail * whole.f_frsize)} of {units.size(size)} free"
    if size < _LEAST_SHARED:
        advice = "too small for several GPUs: docker run --ipc=host, or --shm-size=8g"
        yield Finding("shared memory", found, "note", advice)
    else:
        yield Finding("shared memory", found)


def _disks(folder: Path) -> Iterator[Finding]:
    cache = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    for name, place in (
        ("disk", folder),
        ("temporary files", Path(tempfile.gettempdir())),
        ("models of the Hub", cache),
    ):
        yield _disk(name, place)
    if len(tempfile.gettempdir()) > _LONGEST_TEMP:
        advice = "sockets have short paths: /tmp is taken for them; TMPDIR=/tmp says so"
        yield Finding("temporary files", "a long path", "note", advice)


def _disk(name: str, place: Path) -> Finding:
    there = next(each for each in (place, *place.parents) if each.exists())
    free = psutil.disk_usage(str(there)).free
    found = f"{units.size(free)} free in {place}"
    if not os.access(there, os.W_OK):
        state, advice = "bad" if there == place else "note", "it cannot be written to"
        return Finding(
            name, f"{found}: {advice}", "bad" if state == "bad" else "note", "choose another"
        )
    if free < _LEAST_DISK:
        return Finding(name, found, "bad", "make room: a job that cannot write stops (exit code 4)")
    if free < _LITTLE_DISK:
        return Finding(
            name, found, "note", "little: models take tens of GiB, stores about 1 KB a row"
        )
    return Finding(name, found)


def _locks(folder: Path) -> Iterator[Finding]:
    kind = _file_system(folder)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        advice = "a job must be locked: keep its state on a local disk (--state)"
        yield Finding("locks", f"{folder}: {error.strerror}", "bad", advice)
        return
    if kind in _NETWORK:
        advice = "locks of network file systems are not reliable: keep state local (--state)"
        yield Finding("locks", f"{folder} is on {kind}", "note", advice)
    else:
        yield Finding("locks", f"work in {folder}" + (f" ({kind})" if kind else ""))


def _file_system(folder: Path) -> str | None:
    """The kind of the file system that a folder lies on; None where it is not known."""
    place, kind = "", None
    for part in psutil.disk_partitions(all=True):
        if folder.resolve().is_relative_to(part.mountpoint) and len(part.mountpoint) >= len(place):
            place, kind = part.mountpoint, part.fstype
    return kind


def _limits() -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    found = f"{'any number' if unlimited else f'{soft:,}'} of open files"
    most = "65536" if hard == resource.RLIM_INFINITY else str(min(hard, 65_536))
    if not unlimited and soft < _FEWEST_FILES:
        yield Finding("limits", found, "bad", f"ulimit -n {most}")
    elif not unlimited and soft < _FEW_FILES and hard > soft:
        advice = f"many shards, replicas or servers may need more: ulimit -n {most}"
        yield Finding("limits", found, "note", advice)
    else:
        yield Finding("limits", found)
    space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if space != resource.RLIM_INFINITY:
        advice = "ulimit -v unlimited: vLLM maps far more memory than it uses"
        yield Finding("limits", f"{units.size(space)} of address space", "note", advice)
