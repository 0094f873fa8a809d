"""The locks of devices: one job at a time on each, whoever's it is.

They lie in a folder that every user of the machine can write: /run/lock/llmbatch where all may
write to /run/lock, else /tmp/llmbatch-locks, or the folder that LLMBATCH_DEVICE_LOCKS names. A lock
says who has it, and nothing else is kept in its file.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from llmbatch.core import drafts
from llmbatch.core.errors import UsageError
from llmbatch.store.lock import SignedLock, holder

VARIABLE = "LLMBATCH_DEVICE_LOCKS"
"""The environment variable that names another folder, such as one that containers share."""
_PLACES = (Path("/run/lock/llmbatch"), Path("/tmp/llmbatch-locks"))
_OF_ALL = 0o1777


class DeviceLock(SignedLock):
    """Holds a device for this process, until it is released or the process ends."""

    def __init__(self, device: str) -> None:
        """`device`: its name, of letters, digits and hyphens. Raises UsageError where there can be
        no folder of locks."""
        self.device = device
        super().__init__(_folder() / f"{device}.lock")

    def holder(self) -> str:
        """The process that has it, in words."""
        return holder(self._path) or "it has just ended"

    def _opened(self) -> BinaryIO:
        return drafts.append_for_all(self._path)


def _folder() -> Path:
    """The folder of the locks, which is made if there is none."""
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else next(filter(_is_for_all, _PLACES), _PLACES[-1])
    try:
        if not os.path.lexists(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(_OF_ALL)  # whatever the umask is
        seen = folder.lstat()
    except OSError as error:
        raise UsageError(
            f"{folder}: no locks of devices there: {error.strerror}; {_ADVICE}"
        ) from error
    if not stat.S_ISDIR(seen.st_mode):
        raise UsageError(f"{folder}: is no folder, and was to hold locks of devices; {_ADVICE}")
    if seen.st_mode & stat.S_IWOTH and not seen.st_mode & stat.S_ISVTX:
        raise UsageError(f"{folder}: each user could remove the locks of others: chmod +t it")
    return folder


_ADVICE = f"name a folder by {VARIABLE}"


def _is_for_all(folder: Path) -> bool:
    """True if every user may make things beside it: then all of them take this place."""
    try:
        return bool(folder.parent.stat().st_mode & stat.S_IWOTH)
    except OSError:
        return False
