"""Servers of tests in processes of their own."""

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.servers.options import ChaosOptions, ServerOptions

_ROOT = Path(__file__).parents[2]


@dataclass
class ServerProcess:
    """A server that runs. `url`: its base URL, with /v1."""

    options: ServerOptions | ChaosOptions
    process: "subprocess.Popen[str]"
    port: int

    @property
    def root(self) -> str:
        scheme = "https" if getattr(self.options, "certificate", "") else "http"
        return f"{scheme}://{self.options.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def seen(self) -> dict[str, Any]:
        """A record of its requests: `bodies`, `headers`, `statuses`, `most` at once, `answered`;
        of a proxy: `happened`, and when requests were `passed` on."""
        with urllib.request.urlopen(f"{self.root}/seen", timeout=30) as reply:
            told: dict[str, Any] = json.load(reply)
        return told

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def again(self) -> "ServerProcess":
        """A server of the same options at the same port, once this one is gone."""
        self.process.wait(30)
        return start(replace(self.options, port=self.port))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def start(options: ServerOptions | ChaosOptions) -> ServerProcess:
    """Start a server, or a proxy, which answers when this returns."""
    module = "scripted" if isinstance(options, ServerOptions) else "chaos"
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.servers.{module}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(asdict(options)) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the server did not start: exit code {process.wait()}")
    return ServerProcess(options, process, int(line))


@contextmanager
def serving(**options: Any) -> Iterator[ServerProcess]:
    """A scripted server with these `ServerOptions`."""
    server = start(ServerOptions(**options))
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def chaos(target: ServerProcess, **options: Any) -> Iterator[ServerProcess]:
    """A proxy with these `ChaosOptions` in front of a server."""
    proxy = start(ChaosOptions(target=target.root, **options))
    try:
        yield proxy
    finally:
        proxy.stop()


@contextmanager
def restarting(server: ServerProcess, after: float = 0.0) -> Iterator[list[ServerProcess]]:
    """Starts the server again whenever it is gone, seconds `after`, until the block ends; the list
    gets each."""
    over = threading.Event()
    made: list[ServerProcess] = []

    def watch() -> None:
        present = server
        while not over.is_set():
            if present.process.poll() is not None:
                time.sleep(after)
                present = present.again()
                made.append(present)
            over.wait(0.02)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield made
    finally:
        over.set()
        watching.join()
        for one in made:
            one.stop()
