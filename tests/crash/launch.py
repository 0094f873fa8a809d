"""Two ways to start a run that is to be killed: a process of its own, or a fork of a zygote."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol, Self

ROOT = Path(__file__).parents[2]


class Run(Protocol):
    """A run that was started, with the narrow part of Popen that is used here."""

    pid: int

    def poll(self) -> int | None: ...

    def communicate(self) -> tuple[bytes, bytes]: ...

    @property
    def returncode(self) -> int: ...


class Launcher(Protocol):
    """Starts `llmbatch ARGUMENTS` in a folder, as the leader of a session of its own."""

    def start(self, arguments: list[str], folder: Path) -> Run: ...

    def close(self) -> None: ...


class Processes:
    """Every run starts from nothing."""

    def start(self, arguments: list[str], folder: Path) -> Run:
        return subprocess.Popen(
            [sys.executable, "-m", "llmbatch", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def close(self) -> None: ...


class Zygote:
    """Every run is forked from a process that has vLLM imported (see vllm_zygote)."""

    def __init__(self, folder: Path) -> None:
        self._stderr = folder / "stderr"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.vllm_zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.hear() == {"ready": True}

    def start(self, arguments: list[str], folder: Path) -> Run:
        self._stderr.write_bytes(b"")
        order = {"argv": arguments, "cwd": str(folder), "stderr": str(self._stderr)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Forked(self, self.hear()["started"], self._stderr)

    def hear(self) -> dict[str, Any]:
        """The next message of the zygote."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the zygote has ended"
        heard: dict[str, Any] = json.loads(line)
        return heard

    def close(self) -> None:
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Forked:
    """One run of a zygote; there is only one at a time."""

    def __init__(self, zygote: Zygote, pid: int, stderr: Path) -> None:
        self.pid = pid
        self._zygote = zygote
        self._stderr = stderr
        self._status: int | None = None

    def poll(self) -> int | None:
        """Not None once the process is gone; its status follows with `communicate`."""
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return self._wait()
        return self._wait() if state == "Z" else None

    def _wait(self) -> int:
        while self._status is None:
            heard = self._zygote.hear()
            if heard.get("ended") == self.pid:
                self._status = int(heard["status"])
        return self._status

    @property
    def returncode(self) -> int:
        return self._wait()

    def communicate(self) -> tuple[bytes, bytes]:
        while self.poll() is None:
            time.sleep(0.01)
        return b"", self._stderr.read_bytes()
