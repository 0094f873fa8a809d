"""vLLM's own server on the CPU, with the bundled model."""

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines.vllm import session
from tests.servers.options import ServerOptions
from tests.servers.process import ServerProcess

NAME = str(session.MODEL)
"""The model's name there: its folder, by which its files are found here, too."""
PORT = 18700 + os.getpid() % 1000
_ARGUMENTS = (
    "--enforce-eager",
    "--max-num-seqs", "4",
    "--max-model-len", "256",
    "--kv-cache-memory-bytes", str(64 << 20),
    "--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}',
    "--enable-prompt-tokens-details",
)  # fmt: skip
_LONGEST_START = 240.0


def start(port: int = PORT) -> ServerProcess:
    """Start one; it answers when this returns. The console script of the CPU package does not work,
    the module does."""
    log = Path(tempfile.mkdtemp(prefix="llmbatch-vllm-")) / "server.log"
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", NAME]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with log.open("w") as noise:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), *_ARGUMENTS],
            stdout=noise,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env=environment,
            text=True,
        )
    server = ServerProcess(ServerOptions(models=(NAME,)), process, port)
    deadline = time.monotonic() + _LONGEST_START
    while not _is_ready(server):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"vLLM's server did not start: {log.read_text()[-3000:]}")
        time.sleep(0.2)
    return server


def _is_ready(server: ServerProcess) -> bool:
    try:
        with urllib.request.urlopen(f"{server.root}/health", timeout=5) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def serving() -> Iterator[ServerProcess]:
    server = start()
    try:
        yield server
    finally:
        server.process.terminate()
        try:
            server.process.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
