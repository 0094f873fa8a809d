"""A real Ray cluster whose nodes are processes of this machine."""

import importlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

from llmbatch.engines.ray import output

CORES = 2
"""Of each node, as it says itself."""


class TwoNodes:
    """Two raylets and a head. A node that a test kills is replaced by `mend`."""

    def __init__(self, cores: int = CORES) -> None:
        self._cores = cores
        self._folder = Path(tempfile.mkdtemp(prefix="lb-ray-", dir="/tmp"))
        self._cluster: Any = None

    def __enter__(self) -> Self:
        # Ray writes the address of the last cluster there, for all users of the machine.
        (self._folder / "ray").mkdir()
        with self._started():
            from ray.cluster_utils import Cluster

            self._cluster = Cluster()
            self._cluster.add_node(**self._settings(), include_dashboard=False)
            self._cluster.add_node(**self._settings())
        return self

    @contextmanager
    def _started(self) -> Iterator[None]:
        with output.environment(is_local=True), pytest.MonkeyPatch.context() as patch:
            patch.setenv("RAY_TMPDIR", str(self._folder))
            importlib.import_module("ray")
            output.keep_to_loopback()
            yield

    def _settings(self) -> dict[str, Any]:
        return {
            "num_cpus": self._cores,
            "object_store_memory": 80 * 1024 * 1024,
            "temp_dir": str(self._folder),
        }

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def __exit__(self, *exc: object) -> None:
        self._cluster.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)

    def kill_second(self) -> list[psutil.Process]:
        """SIGKILL to the raylet of the second node, as a kernel does it that is out of memory.
        The processes that it had started."""
        raylet = self._raylet(list(self._cluster.worker_nodes)[-1])
        workers = raylet.children(recursive=True)
        raylet.kill()
        return workers

    def raylets(self) -> list[psutil.Process]:
        """Those that live."""
        nodes = [self._cluster.head_node, *self._cluster.worker_nodes]
        return [
            self._raylet(node)
            for node in nodes
            if node.all_processes["raylet"][0].process.poll() is None
        ]

    def mend(self) -> None:
        """Two living nodes again."""
        with self._started():
            for node in list(self._cluster.worker_nodes):
                self._cluster.remove_node(node, allow_graceful=False)
            self._cluster.add_node(**self._settings())

    def join(self) -> Any:
        """A third node; for `leave`."""
        with self._started():
            return self._cluster.add_node(**self._settings())

    def leave(self, node: Any) -> None:
        self._cluster.remove_node(node, allow_graceful=True)

    def _raylet(self, node: Any) -> psutil.Process:
        info = node.all_processes["raylet"][0]
        return psutil.Process(info.process.pid)


def started() -> Iterator[TwoNodes]:
    """For a fixture: skips where Ray has no wheel, as on the newest Python. A process can be
    connected to one cluster only, so no fixture of one room lives on into another."""
    pytest.importorskip("ray", reason="Ray is not installed")
    with TwoNodes() as nodes:
        yield nodes
