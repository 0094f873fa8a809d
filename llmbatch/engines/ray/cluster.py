"""The connection of this process to a Ray cluster, of its own or of others."""

import contextlib
import importlib
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from llmbatch.core import clock
from llmbatch.core.errors import EngineError, UsageError
from llmbatch.engines.ray import address as addresses
from llmbatch.engines.ray import output
from llmbatch.engines.ray.local_processes import LocalProcesses
from llmbatch.engines.ray.session_folder import MARK, SessionFolder
from llmbatch.engines.vllm import processes

NOT_INSTALLED = "Ray is not installed: install llmbatch[ray], here and on each node"
OPEN_SECONDS = 120.0
ASK_SECONDS = 2.0
"""Between two questions to the head."""
SILENT_SECONDS = 20.0
"""After so long without an answer of the head we stop. After 60 s Ray's C++ would end this process,
without an exception, a report, or an exit code of ours, did `output.environment` not forbid it."""
CLOSE_SECONDS = 20.0
_STORE = 80 * 1024 * 1024
"""Bytes, the least that Ray takes: our messages are small and never come into it."""


class Cluster:
    """Connected by `open`. One for a process, as Ray has it.

    Ray is started, asked and left in a thread of its own: the kernel ends the processes of a local
    cluster when the *thread* that started them does; signal handlers stay as they are; and a head
    that is gone may hold up no one else.
    """

    def __init__(self, address: str | None, log_path: str | None) -> None:
        """Raises UsageError for an address of another form."""
        self.address = addresses.checked(address)
        self.ray: Any = None
        self.nodes: list[dict[str, Any]] = []
        """As of the last time that the head was asked."""
        self._log_path = log_path
        self._closing = threading.Event()
        self._opened = threading.Event()
        self._error: Exception | None = None
        self._answered = 0.0
        self._head = ""
        self._is_guest = False
        self._processes = LocalProcesses()
        self._thread = threading.Thread(target=self._work, name="ray", daemon=True)

    @property
    def is_local(self) -> bool:
        """True for one that is started for this run, on this machine."""
        return self.address is None and not self._is_guest

    def open(self) -> None:
        """Connect, or start a local cluster. Raises UsageError for an address where there is no
        cluster for us, and EngineError if Ray is missing or does not start."""
        if self.address is not None:
            addresses.probe(self.address)
        self._thread.start()
        if not self._opened.wait(OPEN_SECONDS):
            self._closing.set()
            where = self.address or "a cluster on this machine"
            raise EngineError(f"Ray: {where} did not answer within {OPEN_SECONDS:.0f} s")
        if self._error is not None:
            raise self._error

    def check(self) -> None:
        """Raise EngineError if the head has been silent for too long."""
        silent = clock.seconds() - self._answered
        if self._opened.is_set() and silent > SILENT_SECONDS:
            where = "" if self.address is None else f" at {self.address}"
            raise EngineError(
                f"the head of the Ray cluster{where} has not answered for {silent:.0f} s"
            )

    def close(self) -> None:
        """Leave the cluster, and end a local one. Idempotent."""
        if self._closing.is_set() or self._thread.ident is None:
            return
        self._closing.set()
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            # It waits for an answer of the head, which was alive a moment ago.
            bounded(self._leave, CLOSE_SECONDS)

    def describe(self) -> dict[str, Any]:
        """Ray's version, and the nodes, as JSON values."""
        alive = [node for node in self.nodes if node["Alive"]]
        return {
            "ray": self.ray.__version__,
            "ray_nodes": len(alive),
            "ray_cluster": self.address or "local",
        }

    def _work(self) -> None:
        try:
            with output.environment(is_local=self.is_local):
                self.ray = _import()
        except EngineError as error:
            self._error = error
            self._opened.set()
            return
        with output.apart(self._log_path) as log:
            self._serve(log)

    def _serve(self, log: TextIO) -> None:
        folder = SessionFolder() if self.is_local else None
        try:
            with (
                output.environment(is_local=self.is_local),
                output.own_signals(),
                processes.output_to(log),
            ):
                self._connect(folder)
            self._head = self.ray.get_runtime_context().gcs_address
            self._look()
        except Exception as error:  # the thread that waits gets it
            self._error = _explained(error, self.address)
            self._leave()
        else:
            self._opened.set()
            self._ask()
            self._leave()
        finally:
            if folder is not None:
                folder.close()
            self._opened.set()

    def _connect(self, folder: SessionFolder | None) -> None:
        self._is_guest = self.ray.is_initialized()
        if self._is_guest:  # of the program that calls us, which keeps its connection
            self._require_same()
            return
        if folder is None:
            self._join({})
            self._ship_where_missing()
            return
        output.keep_to_loopback()
        os.environ[MARK] = str(folder.path)
        try:
            self._start(folder)
        finally:
            del os.environ[MARK]

    def _start(self, folder: SessionFolder) -> None:
        self.ray.init(
            address="local",
            include_dashboard=False,
            object_store_memory=_STORE,
            _temp_dir=str(folder.path),
            **output.QUIET,
        )
        self._processes.begin(str(folder.path))

    def _require_same(self) -> None:
        there = self.ray.get_runtime_context().gcs_address
        if self.address not in (None, addresses.AUTO, there):
            raise UsageError(
                f"--ray-address {self.address}: this program is connected to the Ray cluster at "
                f"{there}, and can be to one only"
            )

    def _join(self, environment: Mapping[str, Any]) -> None:
        if self.address != addresses.AUTO and output.is_on_loopback(str(self.address)):
            output.keep_to_loopback()  # else Ray looks for its node here at another address
        self.ray.init(address=self.address, runtime_env=dict(environment) or None, **output.QUIET)

    def _ship_where_missing(self) -> None:
        """Send our code to the nodes if one has another version of it, or none."""
        from llmbatch.engines.ray import nodes

        if nodes.have_our_version(self.ray):
            return
        self.ray.shutdown()
        self._join({"py_modules": [nodes.OUR_FOLDER]})

    def _ask(self) -> None:
        while not self._closing.wait(ASK_SECONDS):
            self._processes.look()
            # A call to a head that is gone would return after Ray has ended this process.
            if addresses.answers(self._head):
                with contextlib.suppress(Exception):  # then it has not answered
                    self._look()

    def _look(self) -> None:
        nodes = self.ray.nodes()
        # Ray has no public name for it.
        state = importlib.import_module("ray._private.state")
        free: dict[str, Any] = getattr(state, "available_resources_per_node", dict)()
        known = {node: {"Free": has} for node, has in free.items()}
        self.nodes = [node | known.get(node["NodeID"], {}) for node in nodes]
        self._answered = clock.seconds()

    def _leave(self) -> None:
        self._processes.look()
        if not self._is_guest:
            with contextlib.suppress(Exception):
                self.ray.shutdown()
        self._processes.end()


def bounded(work: Callable[[], object], seconds: float) -> None:
    """Do what may wait for a head that is gone, but no longer than so many seconds."""

    def quietly() -> None:
        with contextlib.suppress(Exception):
            work()

    thread = threading.Thread(target=quietly, name="ray_bounded", daemon=True)
    thread.start()
    thread.join(seconds)


def _import() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise EngineError(NOT_INSTALLED) from error


def _explained(error: Exception, address: str | None) -> Exception:
    """The error in one line: what the user can act on is a UsageError."""
    if isinstance(error, EngineError | UsageError):
        return error
    text = " ".join(str(error).split()) or type(error).__name__
    kind = type(error).__name__
    is_usage = kind == "AuthenticationError" or "Version mismatch" in text
    if address is not None and (is_usage or isinstance(error, ConnectionError | ValueError)):
        return UsageError(f"--ray-address {address}: {text}")
    return EngineError(f"Ray does not start: {text}")
