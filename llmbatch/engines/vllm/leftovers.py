"""Files and shared memory that vLLM leaves behind its processes.

Its sockets and rendezvous files lie in the system's temporary folder; some are left by every
run, all of them by a killed one. So each engine gets a folder of its own there, which is
removed when the engine ends: by us, by its last process when we were killed, or, when all of
them were killed at once, by the next engine that starts.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from multiprocessing import resource_tracker
from pathlib import Path

_PREFIX = "llmbatch-engine-"
_OWNER = "owner"
_SHARED = "shared"
_WORKERS = "workers"
# The path of a socket has at most 107 bytes, and vLLM's sockets have names of 36.
_LONGEST = 107 - 37
_SHORT = "/tmp"
_MEMORY = Path("/dev/shm")
# Python's names for shared memory and for semaphores, and that of a part of a model on the CPU.
_SEGMENT = re.compile(r"psm_\w+|sem\.mp-\w+|\w+-\w+:\d+-\[[\d-]+\]-cpushm_\d+")


class Scratch:
    """A private folder for one engine's temporary files, in use as long as its lock is held."""

    def __init__(self) -> None:
        self._lock = -1
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        if len(os.fsencode(self.path)) > _LONGEST:
            self.path.rmdir()
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_SHORT))
        self._lock = os.open(self.path / _OWNER, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.names = {"TMPDIR": str(self.path), "VLLM_RPC_BASE_PATH": str(self.path)}
        """The variables that send the files of a process there."""

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Send temporary files there: vLLM's in this process, and all of a new child's."""
        # torch's cache lies in the temporary folder too, but later runs want to find it.
        from torch._inductor.runtime.cache_dir_utils import default_cache_dir

        names = dict(self.names)
        names["TORCHINDUCTOR_CACHE_DIR"] = os.environ.get(
            "TORCHINDUCTOR_CACHE_DIR", default_cache_dir()
        )
        before = {name: os.environ.get(name) for name in names}
        folder = tempfile.gettempdir()
        os.environ.update(names)
        tempfile.tempdir = str(self.path)
        try:
            yield
        finally:
            tempfile.tempdir = folder
            for name, value in before.items():
                if os.environ.get(name) == names[name]:
                    _restore(name, value)

    def note(self, segments: Iterable[str]) -> None:
        """Write down which shared memory the engine's processes use."""
        with contextlib.suppress(OSError):
            (self.path / _SHARED).write_text("\n".join(sorted(segments)))

    def remove(self) -> None:
        """Remove the folder, and the shared memory that killed processes have left."""
        if self._lock < 0:
            return
        for name in _noted(self.path):
            _unlink(name)
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)
        self._lock = -1


def tell(path: Path, variables: Mapping[str, str]) -> None:
    """In an engine core: write down with which variables it starts a worker, in the engine's
    folder."""
    with contextlib.suppress(OSError), (path / _WORKERS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(dict(variables)) + "\n")


def told(path: Path) -> list[dict[str, str]]:
    """The variables of each worker that was started."""
    try:
        return [json.loads(line) for line in (path / _WORKERS).read_text("utf-8").splitlines()]
    except (OSError, ValueError):
        return []


def segments_of(pids: Iterable[int]) -> set[str]:
    """The shared memory and semaphores that these processes have mapped."""
    mapped: set[int] = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            maps = Path(f"/proc/{pid}/maps").read_text()
            mapped |= {int(number) for number in re.findall(rf" (\d+) +{_MEMORY}/", maps)}
    # By number: a semaphore is mapped under another name before it gets its own.
    with contextlib.suppress(OSError), os.scandir(_MEMORY) as entries:
        return {
            entry.name
            for entry in entries
            if entry.inode() in mapped and _SEGMENT.fullmatch(entry.name)
        }
    return set()


def sweep() -> None:
    """Remove what engines have left whose processes were all killed at once."""
    for folder in {tempfile.gettempdir(), _SHORT}:
        for path in Path(folder).glob(f"{_PREFIX}*"):
            if _is_abandoned(path):
                for name in _noted(path):
                    (_MEMORY / name).unlink(missing_ok=True)
                shutil.rmtree(path, ignore_errors=True)


def _is_abandoned(path: Path) -> bool:
    """True for a folder of ours whose lock is free. Those of other users are not even opened."""
    try:
        if path.lstat().st_uid != os.getuid() or path.is_symlink():
            return False
        lock = os.open(path / _OWNER, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:  # it may be about to get its lock
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def _noted(path: Path) -> list[str]:
    try:
        names = (path / _SHARED).read_text().split()
    except OSError:
        return []
    return [name for name in names if _SEGMENT.fullmatch(name)]


def _unlink(name: str) -> None:
    """Remove shared memory, and unregister it from Python, which would warn of it at its end."""
    try:
        (_MEMORY / name).unlink()
    except OSError:
        return
    if name.startswith("sem."):
        resource_tracker.unregister("/" + name.removeprefix("sem."), "semaphore")
    elif name.startswith("psm_"):
        resource_tracker.unregister("/" + name, "shared_memory")


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
