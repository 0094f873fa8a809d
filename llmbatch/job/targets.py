"""The files that a command writes: usable names, no file twice, none of another program."""

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmbatch.core import files
from llmbatch.core.errors import UsageError

# As long as the longest name that is made beside a file, and as that of any file of a store.
_LONGEST = "x" * 77


@dataclass(frozen=True, slots=True)
class Target:
    """A file to be written. `what` it is; `is_ours`: True for a file of ours, which is replaced (or
    `appended` to)."""

    what: str
    path: Path
    is_ours: Callable[[Path], bool]
    appended: bool = False

    @property
    def file(self) -> Path:
        """The file itself, where the path is a link to it."""
        return self.path if self.appended else files.behind_link(self.path)

    def __str__(self) -> str:
        """Its name in error messages; of the output the path alone."""
        return str(self.path) if self.what == OUTPUT else f"{self.what} {self.path}"


OUTPUT = "output"
# Two names of the same file have one of these in common.
_Identity = tuple[int, int] | tuple[int, int, str]


def check(
    targets: Sequence[Target], reads: Mapping[Path, str], folders: Mapping[Path, str]
) -> None:
    """Raise UsageError for the first target that cannot or must not be written.

    `reads`: files that are only read; `folders`: those in which no target may lie. Both with what
    they are, for the message.
    """
    taken = {identity: what for path, what in reads.items() for identity in _identities(path, what)}
    for target in targets:
        _check_name(target)
        _check_outside(target, folders)
        identities = _identities(target.path, target.what)
        identities |= _identities(target.file, target.what)
        for identity in identities:
            if identity in taken:
                raise UsageError(f"{target}: is the {taken[identity]}; {_another_name(target)}")
        _check_owner(target)
        taken |= dict.fromkeys(identities, target.what)


def check_state(
    state: Path, files: Mapping[Path, str], targets: Sequence[Target], folders: Mapping[Path, str]
) -> None:
    """Raise UsageError if the state folder cannot be one: its name is too long, or is that of a
    file which is read or written, or lies in one of the `folders`."""
    what = "state folder"
    entry = look_up(state, what)
    for path, other in {**files, **{target.path: target.what for target in targets}}.items():
        if _identities(path, other) & _identities(state, what):
            raise UsageError(f"{what} {state}: is the {other}; give it another name (--state)")
    if entry is not None and not stat.S_ISDIR(entry.st_mode):
        raise UsageError(f"{state}: is a file; the state folder needs another name")
    look_up(state / _LONGEST, what, state)
    for folder, other in folders.items():
        if _within(state, folder):
            raise UsageError(f"{what} {state}: is or lies in the {other}; name another (--state)")


def look_up(path: Path, what: str, shown: Path | None = None) -> os.stat_result | None:
    """The status of the file of this name; None where there is none. Raises UsageError for a name
    that cannot be looked up: too long, a loop of links, a folder that may not be entered, ...
    `shown`: the name that the user gave, if this one was made of it."""
    named = f"{what} {str(shown or path)[:200]}".removeprefix(f"{OUTPUT} ")
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{named}: cannot be used: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{named}: is no name of a file: {error}") from error


def _check_name(target: Target) -> None:
    path, folder = target.file, target.file.parent
    entry, parent = look_up(path, target.what), look_up(folder, target.what)
    if entry is not None and stat.S_ISDIR(entry.st_mode):
        raise UsageError(f"{target}: is a folder; give a file name")
    if parent is None or not stat.S_ISDIR(parent.st_mode):
        raise UsageError(f"{target}: there is no folder {folder}; create it first")
    is_device = entry is not None and not stat.S_ISREG(entry.st_mode)
    if is_device or _holds_devices(folder) or _holds_devices(target.path.parent):
        raise UsageError(f"{target}: is a device or a pipe; give the name of a file")
    if entry is not None and target.appended:
        if not os.access(path, os.W_OK):
            raise UsageError(f"{target}: cannot be written; check its permissions")
    elif not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{target}: the folder {folder} cannot be written")
    look_up(path.with_name(_LONGEST), target.what, path)


def _holds_devices(folder: Path) -> bool:
    """True if names in the folder stand for devices, or for open files of this process."""
    real = folder.resolve()
    return real == Path("/dev") or Path("/proc") in (real, *real.parents)


def _check_outside(target: Target, folders: Mapping[Path, str]) -> None:
    for folder, what in folders.items():
        if _within(target.file.parent, folder):
            raise UsageError(f"{target}: lies in the {what} {folder}; put it elsewhere")


def _check_owner(target: Target) -> None:
    entry = look_up(target.path, target.what)
    if entry is None or not entry.st_size:
        return
    try:
        ours = target.is_ours(target.path)
    except OSError as error:
        raise UsageError(f"{target}: exists and cannot be read: {error.strerror}") from error
    if not ours:
        raise foreign_error(target)


def foreign_error(target: Target) -> UsageError:
    """The error for a file that something else has written."""
    anyway = "" if target.appended else " (--overwrite replaces it)"
    return UsageError(
        f"{target}: exists and was not written by llmbatch; remove it, or "
        f"{_another_name(target)}{anyway}"
    )


def _another_name(target: Target) -> str:
    if target.what == "error file":
        return "give the output another name, after which this one is called"
    return f"give the {target.what} another name"


def _identities(path: Path, what: str) -> set[_Identity]:
    """The identities of a file: its inode, if it exists, and its name in its folder, in which case
    may not matter."""
    entry, folder = look_up(path, what), look_up(path.parent, what)
    identities: set[_Identity] = {(entry.st_dev, entry.st_ino)} if entry else set()
    return identities | (
        {(folder.st_dev, folder.st_ino, path.name.casefold())} if folder else set()
    )


def _within(path: Path, folder: Path) -> bool:
    """True if `path` is the folder or lies in it, at any depth and through any links."""
    identities = _identities(folder, "folder")
    real = path.resolve()
    return any(_identities(part, "folder") & identities for part in (real, *real.parents))
