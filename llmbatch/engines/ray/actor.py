"""One replica on a node of the cluster: what runs in the actor's process."""

import os
import pickle
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from llmbatch.core.errors import EngineError
from llmbatch.engines.base import Engine
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.replicas.host import ReplicaHost

LINGER = 0.1
"""Seconds for which a reply waits for more outcomes while the engine has enough to do: a call costs
the driver half a millisecond, whatever it holds."""
_WATCH_SECONDS = 0.5
GROUPS = {"exchange": 1, "control": 2}
"""Concurrency groups: control must be answered while an exchange waits."""


@dataclass(frozen=True, slots=True)
class Task:
    """The work of a replica. `load`: finds an engine by its name, as `registry.load`, which names
    this room and so may not be named here; `engine`: that name; `identity`: of the driver's engine,
    which that of the node must equal (None: it is the same machine); `cores`: its share of the
    node's, as a number from 0 and the number of shares (None: all); `environment`: variables of the
    driver's."""

    load: Callable[[str], Callable[[EngineConfig], Engine]]
    engine: str
    config: EngineConfig
    identity: Mapping[str, str] | None
    cores: tuple[int, int] | None
    environment: Mapping[str, str]
    is_local: bool


class Replica:
    """An actor. Its constructor does nothing that may fail; `start` begins to load the engine."""

    def __init__(self) -> None:
        self._host: ReplicaHost | None = None
        threading.Thread(target=_watch_parent, name="parent-watch", daemon=True).start()

    def start(self, task: bytes) -> tuple[str, int]:
        """Begin to start the engine; returns at once, with the name of the node and the process."""
        wanted: Task = pickle.loads(task)
        for name, value in wanted.environment.items():
            os.environ.setdefault(name, value)
        if wanted.cores is not None:
            _keep_to(*wanted.cores)
        self._host = ReplicaHost(_maker(wanted), LINGER)
        self._host.start()
        return socket.gethostname(), os.getpid()

    def exchange(self, call: bytes) -> bytes:
        """See `ReplicaHost.call`."""
        if self._host is None:
            raise EngineError("the replica was not started")
        return self._host.call(call)

    def close(self, seconds: float) -> bool:
        """End the engine; false if it has not ended within so many seconds."""
        return self._host is None or self._host.close(seconds)


def _maker(task: Task) -> Callable[[], Engine]:
    log_path = task.config.log_path if task.is_local else _log_here()
    config = replace(task.config, replicas=None, address=None, log_path=log_path)

    def make() -> Engine:
        engine = task.load(task.engine)(config)
        if task.identity is not None and engine.identity() != task.identity:
            raise EngineError(
                f"the model {config.model!r} on node {socket.gethostname()} is not the one here"
            )
        return engine

    return make


def _log_here() -> str | None:
    """A log beside the others of this node, which Ray keeps and shows."""
    own = Path("/proc/self/fd/1").readlink()
    if own.suffix != ".out":
        return None
    return str(own.with_name(f"llmbatch-replica-{os.getpid()}.log"))


def _keep_to(share: int, shares: int) -> None:
    """Divide the node's cores among its replicas: an engine would take all of them."""
    cores = sorted(os.sched_getaffinity(0))
    first, end = (len(cores) * each // shares for each in (share, share + 1))
    own = cores[first:end] or cores
    os.environ["OMP_NUM_THREADS"] = str(len(own))
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", ",".join(map(str, own)))


def _watch_parent() -> None:
    """End this process and its children once the raylet has died without ending them: it would hold
    the device for which another replica is started elsewhere."""
    parent, over = os.getppid(), threading.Event()
    while os.getppid() == parent:
        over.wait(_WATCH_SECONDS)
    if os.getpgid(0) == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
