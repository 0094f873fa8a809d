"""Ray's messages and environment: none of its words reaches our output.

Ray prints to the driver's *standard output*, also with `log_to_driver=False`: a death of an actor
would stand between the rows of `-o -`.
"""

import contextlib
import ctypes
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any, TextIO

from llmbatch.engines.vllm import engine_log

QUIET: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
_ASK_SECONDS = 10.0
_THREADS = "ray_"
"""The names of Ray's own threads begin so."""


class _Apart:
    """A stream that sends what Ray's threads write into a log."""

    def __init__(self, stream: TextIO, log: TextIO) -> None:
        self._stream = stream
        self._log = log

    def write(self, text: str) -> int:
        is_rays = threading.current_thread().name.startswith(_THREADS)
        return (self._log if is_rays else self._stream).write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def apart(log_path: str | None) -> Iterator[TextIO]:
    """Send Ray's messages to the log, which it gives, for as long as this process is connected. Ray
    is imported before, which sets a handler of its log."""
    log = engine_log.opened(log_path or os.devnull)
    logger = logging.getLogger("ray")
    propagates, logger.propagate = logger.propagate, False
    handlers, logger.handlers = logger.handlers, [logging.StreamHandler(log)]
    former = sys.stdout
    ours: Any = _Apart(former, log)
    sys.stdout = ours
    try:
        yield log
    finally:
        if sys.stdout is ours:
            sys.stdout = former
        logger.handlers, logger.propagate = handlers, propagates


def keep_to_loopback() -> None:
    """Let a cluster that is started listen on this machine only, also if Ray was imported before
    `environment` said so: vLLM does that."""
    constants: Any = importlib.import_module("ray._private.ray_constants")
    constants.ENABLE_RAY_CLUSTER = False


@contextlib.contextmanager
def own_signals() -> Iterator[None]:
    """Keep the handlers of signals that stop a run: Ray's C++ would print a stack trace first."""
    get, put = ctypes.pythonapi.PyOS_getsig, ctypes.pythonapi.PyOS_setsig
    get.restype = put.restype = ctypes.c_void_p
    get.argtypes, put.argtypes = [ctypes.c_int], [ctypes.c_int, ctypes.c_void_p]
    before = {number: get(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            put(number, handler)


def is_on_loopback(address: str) -> bool:
    """True if the nodes of the cluster at an address are known by addresses of this machine alone,
    as those of a cluster that only it can reach."""
    if not address.startswith(("127.", "localhost", "[::1]")):
        return False
    client: Any = importlib.import_module("ray._raylet").GcsClient(address=address)
    nodes = client.get_all_node_info(timeout=_ASK_SECONDS).values()
    return any(node.node_manager_address.startswith("127.") for node in nodes)


@contextlib.contextmanager
def environment(*, is_local: bool) -> Iterator[None]:
    """Set the variables that Ray reads when it is imported and started."""
    # Of what its C++ would write to our stderr for as long as it lives, only its last words.
    wanted = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
    # Seconds after which a process that cannot reach the head is ended from C++.
    wanted["RAY_gcs_rpc_server_reconnect_timeout_s"] = str(365 * 24 * 3600)
    if is_local:
        # Else all of its processes listen on each network of the machine.
        wanted["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
