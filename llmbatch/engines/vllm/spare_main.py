"""The inside of a spare process, until it becomes a process of vLLM's.

No thread is started in it, and no device is looked at, so that it can be forked: the spares of
workers are forks of the engine core's.
"""

import contextlib
import importlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import resource_tracker, spawn
from pathlib import Path
from types import FrameType
from typing import Any

from llmbatch.engines.vllm import adoption
from llmbatch.engines.vllm.spare import LENGTH_BYTES, READY, Spare

# The worker of a device; what a version does not have is left out.
_ANY_WORKER = "vllm.v1.worker.worker_base"
_WORKERS = {"cpu": "vllm.v1.worker.cpu_worker", "cuda": "vllm.v1.worker.gpu_worker"}
# The most descriptors that a message may carry.
_MOST = 250
_LOOK_SECONDS = 0.5


def main(order: Mapping[str, Any]) -> None:
    """Import vLLM, wait, and become what is asked for; end with the parent."""
    # As its successor would on its arrival: no Ctrl-C of the terminal.
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    _end_with(order["parent"])
    _find_title()
    resource_tracker._resource_tracker._fd = order["tracker"]  # type: ignore[attr-defined]
    environment = dict(os.environ)
    control = socket.socket(fileno=order["control"])
    _import_all(order["imports"], with_worker=order["workers"] > 0)
    # OpenMP has bound this thread when it was loaded, as it binds that of a worker.
    bound = os.sched_getaffinity(0)
    os.sched_setaffinity(0, order["cores"])
    imported = dict(os.environ)
    if order["workers"] and _may_fork():
        control = _with_forks(order["workers"], control, environment, bound)
    variables = _wait(control)
    _set_variables(_as_imported(variables, environment, imported))
    # Its parent is told of by the pipe that it gets its work through, which stays open.
    data, *adoption.received[:] = adoption.received
    raise SystemExit(spawn._main(data, os.dup(data)))


def _with_forks(
    count: int, control: socket.socket, environment: Mapping[str, str], bound: set[int]
) -> socket.socket:
    """Make spares for workers, which go on from here, too. Returns the end of the socket by which
    this process is told what to be. `bound`: the cores that a worker's first thread has."""
    core = os.getpid()
    for _ in range(count):
        ours, theirs = socket.socketpair()
        if pid := os.fork():
            theirs.close()
            adoption.unclaimed.append(Spare(pid, ours, environment))
            continue
        for other in (control, ours, *(spare.control for spare in adoption.unclaimed)):
            other.close()
        adoption.unclaimed.clear()
        os.sched_setaffinity(0, bound)
        os.setpgid(0, 0)
        _end_with(core)
        return theirs
    return control


def _find_title() -> None:
    """Let the place of this process's title be found, by which vLLM names its processes: it is
    looked for beside the variables, and these will be others."""
    with contextlib.suppress(ImportError):
        importlib.import_module("setproctitle").getproctitle()


def _end_with(parent: int) -> None:
    """Look now and then whether the parent lives. By a signal, since no thread may be started."""

    def look(number: int, frame: FrameType | None) -> None:
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _LOOK_SECONDS, _LOOK_SECONDS)


def _import_all(names: Sequence[str], *, with_worker: bool) -> None:
    for name in names:
        _import(name)
    if with_worker and (platforms := sys.modules.get("vllm.platforms")):
        _import(_WORKERS.get(platforms.current_platform.device_type, _ANY_WORKER))


def _import(name: str) -> None:
    """Import what this version has of it."""
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module(name)


def _may_fork() -> bool:
    """True if nothing was begun that a fork would break."""
    torch = sys.modules.get("torch")
    if threading.active_count() > 1 or (torch is not None and torch.cuda.is_initialized()):
        return False
    descriptors = Path("/proc/self/fd").iterdir()
    return not any("nvidia" in os.path.realpath(each) for each in descriptors)


def _wait(control: socket.socket) -> dict[str, str]:
    """Wait for a process to be. Its descriptors are in `adoption.received`; returns its
    variables."""
    adoption.install()
    head = b""
    with contextlib.suppress(OSError):  # whose end is closed does not want it any more
        control.sendall(READY)
        head, descriptors, _, _ = socket.recv_fds(control, LENGTH_BYTES, _MOST)
    if not head:
        raise SystemExit(0)
    with control, control.makefile("rb") as rest:
        variables: dict[str, str] = json.loads(rest.read(int.from_bytes(head, "big")))
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for each in descriptors:
        os.set_inheritable(each, False)
    # The second tells of our end by being closed then.
    data, _end, tracker, *adoption.received[:] = descriptors
    adoption.received.insert(0, data)
    resource_tracker._resource_tracker._fd = tracker  # type: ignore[attr-defined]
    return variables


def _as_imported(
    variables: Mapping[str, str], began: Mapping[str, str], imported: Mapping[str, str]
) -> dict[str, str]:
    """The variables of a process that has imported what we have, and was started with `variables`.

    We `began` with those of a worker, to whom the core hands on what its imports have set.
    """
    made = dict(variables)
    for name, value in imported.items():
        if value != (former := began.get(name)):
            made[name] = value if variables.get(name) == former else former or value
    return made


def _set_variables(variables: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(variables):
        del os.environ[name]
    os.environ.update(variables)
