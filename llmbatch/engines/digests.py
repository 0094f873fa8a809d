"""Digests of files that are too big to be read each time that their content is needed.

The digest of a big file is kept, in this process and in a private cache folder, under its real
path, with what the file system records of it: device, inode, size, and times of its last change.
Of these, the time of the last change of the inode (ctime) cannot be set by programs, so a file that
was changed in place and given its size and mtime back is read again. A digest that comes from the
folder is not believed unread, either: some blocks of the file, chosen when it was kept, are hashed
and compared. The folder is a convenience: where it cannot be written, is not private, or holds
damage, files are read.
"""

import hashlib
import os
import random
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue

from llmbatch.core import clock
from llmbatch.engines import private_notes

# Smaller files are read faster than a digest could be looked up.
BIG = 16 * 2**20
# A file that was changed a moment ago may be changed again without a later time.
_SETTLED = 2.0
_READERS = max(4, min(16, len(os.sched_getaffinity(0))))
_CHUNK = 4 * 2**20
_BLOCK = 2**16
_SAMPLES = 16

State = list[int]


def folder(environment: Mapping[str, str]) -> Path | None:
    """The folder that keeps digests: LLMBATCH_DIGESTS, or in the user's cache; None if that is
    "off", or if there is none."""
    return private_notes.folder(environment, "LLMBATCH_DIGESTS", "digests")


@cache
def shared() -> "Digests":
    """Those of this process."""
    return Digests(folder(os.environ))


class Digests:
    """Digests of files by their path, kept as long as the files are as they were."""

    def __init__(self, kept: Path | None) -> None:
        self._known: dict[Path, tuple[State, str]] = {}
        self._kept = kept

    def compute(self, paths: Sequence[Path]) -> list[str]:
        """The SHA-256 of each file, several at a time, the biggest first. Raises OSError."""
        waiting: SimpleQueue[int] = SimpleQueue()
        for number in sorted(range(len(paths)), key=lambda n: -paths[n].stat().st_size):
            waiting.put(number)
        results: list[Future[str]] = [Future() for _ in paths]
        given_up = threading.Event()

        def work() -> None:
            while not given_up.is_set():
                try:
                    number = waiting.get_nowait()
                except Empty:
                    return
                try:
                    results[number].set_result(self._compute(paths[number], given_up))
                except Exception as error:  # raised where the result is awaited
                    results[number].set_exception(error)

        for _ in range(min(_READERS, len(paths))):
            # Daemons: the end of the process does not wait for them.
            threading.Thread(target=work, name="digest", daemon=True).start()
        try:
            return [each.result() for each in results]
        finally:
            given_up.set()

    def _compute(self, path: Path, given_up: threading.Event) -> str:
        real = path.resolve()
        with real.open("rb", buffering=0) as file:
            state = _state(file.fileno())
            if _size(state) < BIG:
                return _whole(file.fileno(), given_up)
            memory = self._known.get(real)
            if memory and memory[0] == state:
                return memory[1]
            asked = clock.now().timestamp()
            digest = self._remembered(real, state, file.fileno())
            if digest is None:
                digest = _whole(file.fileno(), given_up)
                if asked - state[-1] / 1e9 < _SETTLED or _state(file.fileno()) != state:
                    return digest
                self._remember(real, state, digest, file.fileno())
            self._known[real] = (state, digest)
            return digest

    def _remembered(self, real: Path, state: State, descriptor: int) -> str | None:
        """The kept digest, if the file is still as it was; None where none can be relied on."""
        note = private_notes.read(self._note(real)) if self._kept else None
        if note is None or note.get("path") != str(real) or note.get("state") != state:
            return None
        if all(_block(descriptor, int(start)) == digest for start, digest in note["blocks"]):
            return str(note["digest"])
        return None

    def _remember(self, real: Path, state: State, digest: str, descriptor: int) -> None:
        last = _size(state) - _BLOCK
        starts = [0, last, *(random.randrange(last) for _ in range(_SAMPLES - 2))]
        blocks = [(start, _block(descriptor, start)) for start in starts]
        note = {"path": str(real), "state": state, "digest": digest, "blocks": blocks}
        if self._kept:
            private_notes.write(self._note(real), note)

    def _note(self, real: Path) -> Path:
        assert self._kept is not None
        return self._kept / hashlib.sha256(os.fsencode(real)).hexdigest()


def _state(descriptor: int) -> State:
    seen = os.fstat(descriptor)
    return [seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns]


def _size(state: State) -> int:
    return state[2]


def _whole(descriptor: int, given_up: threading.Event) -> str:
    total = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK))
    offset = 0
    # Neither the read nor the hash holds up other threads.
    while length := os.preadv(descriptor, [buffer], offset):
        if given_up.is_set():
            raise InterruptedError("the digest is no longer needed")
        total.update(buffer[:length])
        offset += length
    return total.hexdigest()


def _block(descriptor: int, start: int) -> str:
    return hashlib.sha256(os.pread(descriptor, _BLOCK, start)).hexdigest()
