"""Drafts: where a file is written before it gets its name.

A draft lies beside its final name, under a random one, and is locked for as long as it is written.
So two processes never write into the same draft, an existing link cannot lead a draft elsewhere,
and a draft without a lock is the rest of a killed run.
"""

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

# Of the name, what leaves room for the rest in any file system: at most 4 bytes a character.
_KEPT = 59
_TRIES = 20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def draft(final: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file beside `final`; unless it was renamed in the block, it is gone afterwards."""
    remove_stale(final)
    path, lock = _create(final)
    try:
        # The caller may close the stream; the lock stays until the draft has its final name.
        with open(path, "wb", opener=lambda *_: os.dup(lock)) as stream:
            yield path, stream
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(lock)


def remove_stale(final: Path) -> None:
    """Remove the drafts of `final` that killed processes have left."""
    # Version 0.1 named all of its drafts without a random part.
    ours = re.compile(rf"{re.escape(_stem(final))}\.[0-9a-f]{{8}}\.partial")
    oldest = f".{final.name}.partial"
    # Where the folder cannot be listed or changed, the leftovers stay.
    with suppress(OSError), os.scandir(final.parent) as entries:
        found = [entry.name for entry in entries]
        for name in found:
            if ours.fullmatch(name) or name == oldest:
                _remove_if_left(final.with_name(name))


def create(path: Path) -> BinaryIO:
    """A new file under a fixed name, for its owner only; what had the name before is removed, and
    nothing is written through it, if it is a link."""
    for _ in range(_TRIES):
        with suppress(FileExistsError):
            return os.fdopen(os.open(path, _NEW, 0o600), "wb")
        path.unlink(missing_ok=True)
    raise FileExistsError(errno.EEXIST, "another process makes it again and again", str(path))


def append(path: Path) -> BinaryIO:
    """A file that only llmbatch writes, for reading and appending; made if there is none.

    Raises OSError for anything else that has the name: a link is not followed, and opening a pipe
    does not wait for its other end.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP and path.is_symlink():
            raise OSError(errno.ELOOP, "is a link, which is not followed", str(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is not a file", str(path))
    return os.fdopen(descriptor, "ab+", buffering=0)


def append_for_all(path: Path) -> BinaryIO:
    """As `append`, a file that every user of the machine may open so, in a folder of all. Raises
    OSError for one that has another name, too: it may be a file of somebody else's."""
    flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        # A kernel may refuse to make, and so to open with this flag, the file of another user.
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        os.fchmod(descriptor, 0o666)  # whatever the umask is
    except FileExistsError:
        descriptor = os.open(path, flags)
    seen = os.fstat(descriptor)
    if not stat.S_ISREG(seen.st_mode) or seen.st_nlink > 1:
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is not a file of its own", str(path))
    return os.fdopen(descriptor, "ab+", buffering=0)


def _stem(final: Path) -> str:
    return f".{final.name[:_KEPT]}"


def _create(final: Path) -> tuple[Path, int]:
    """A new draft of `final`, and the descriptor that holds it."""
    for _ in range(_TRIES):
        path = final.with_name(f"{_stem(final)}.{secrets.token_hex(4)}.partial")
        with suppress(FileExistsError):
            descriptor = os.open(path, _NEW, 0o666)
            # Where files cannot be locked, no process removes drafts as leftovers.
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is(path, descriptor):
                return path, descriptor
            # Before it was locked, another process has removed it as a leftover.
            os.close(descriptor)
    raise FileExistsError(errno.EEXIST, "no draft can be made beside it", str(final))


def _remove_if_left(path: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if stat.S_ISREG(os.fstat(descriptor).st_mode) and _is(path, descriptor):
                path.unlink()
        finally:
            os.close(descriptor)


def _is(path: Path, descriptor: int) -> bool:
    """True if the path names the open file."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
