"""A replica in a process of its own: `python -m llmbatch.engines.replicas.child DESCRIPTOR`.

It answers calls until it is told to end, or the driver is gone. Then it ends itself and all
processes of its engine, at once: nothing of it is worth keeping.
"""

import contextlib
import os
import pickle
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable

import psutil

from llmbatch.engines.base import Engine
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.replicas import channel
from llmbatch.engines.replicas.host import ReplicaHost

Load = Callable[[str], Callable[[EngineConfig], Engine]]
"""A function that finds the factory of an engine by its name, as the registry has one; it travels
to the replica by its own name."""
END = b""
"""The message that has it end in order."""
_LOOK = 0.2
_CLOSE = 15.0


def main(descriptor: int) -> None:
    """Work as a replica over this socket."""
    parent = os.getppid()
    threading.Thread(target=_watch, args=[parent], name="parent-watch", daemon=True).start()
    sock = socket.socket(fileno=descriptor)
    try:
        load, name, config, sys.path[:] = pickle.loads(channel.read(sock))
        host = ReplicaHost(lambda: load(name)(config))
        host.start()
        while (call := channel.read(sock)) != END:
            channel.write(sock, host.call(call))
        host.close(_CLOSE)
    except EOFError:
        pass
    finally:
        end_all()


def start_message(load: Load, name: str, config: EngineConfig) -> bytes:
    """The first message to a replica: the engine that it is to be."""
    return pickle.dumps((load, name, config, sys.path), pickle.HIGHEST_PROTOCOL)


def end_all() -> None:
    """End this process and all below it."""
    kill_tree(os.getpid())


def kill_tree(pid: int) -> None:
    """Kill a process and all below it, the lowest last: one whose child ends could start another.
    Then those that were left behind in its group."""
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        below = root.children(recursive=True)
        if pid == os.getpid():
            _kill_all(below)
        root.kill()
        _kill_all(below)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _kill_all(processes: list[psutil.Process]) -> None:
    for one in processes:
        with contextlib.suppress(psutil.Error):
            one.kill()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK)
    end_all()


if __name__ == "__main__":
    main(int(sys.argv[1]))
