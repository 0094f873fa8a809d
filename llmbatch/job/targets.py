"""The files that a command writes: names that can be had, no file twice, and nobody else's."""

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmbatch.core.errors import UsageError

# As long as the longest name that is made beside a file, and as that of any file of a store.
_LONGEST = "x" * 77


@dataclass(frozen=True, slots=True)
class Target:
    """A file to be written: what it is, and whether one that has the name is one of ours. It is
    replaced, unless it is `appended` to."""

    what: str
    path: Path
    is_ours: Callable[[Path], bool]
    appended: bool = False

    def __str__(self) -> str:
        """How it is called before a complaint; the output by its name alone."""
        return str(self.path) if self.what == OUTPUT else f"{self.what} {self.path}"


OUTPUT = "output"
# Whatever names the same file has one of these in common.
_Key = tuple[int, int] | tuple[int, int, str]


def check(
    targets: Sequence[Target], reads: Mapping[Path, str], folders: Mapping[Path, str]
) -> None:
    """Raise UsageError for the first target that cannot or must not be written.

    `reads` are files that are only read, `folders` those in which nothing is written by name; both
    with what they are.
    """
    taken = {key: what for path, what in reads.items() for key in _keys(path, what)}
    for target in targets:
        _check_place(target)
        _check_outside(target, folders)
        for key in _keys(target.path, target.what):
            if key in taken:
                raise UsageError(f"{target}: is the {taken[key]}; {_another_name(target)}")
        _check_owner(target)
        taken |= dict.fromkeys(_keys(target.path, target.what), target.what)


def check_state(
    state: Path, files: Mapping[Path, str], targets: Sequence[Target], folders: Mapping[Path, str]
) -> None:
    """Raise UsageError if the state folder cannot be one: its name is too long, or is that of a
    file which is read or written, or lies in one of the `folders`."""
    what = "state folder"
    known = look_up(state, what)
    for path, other in {**files, **{target.path: target.what for target in targets}}.items():
        if _keys(path, other) & _keys(state, what):
            raise UsageError(f"{what} {state}: is the {other}; give it another name (--state)")
    if known is not None and not stat.S_ISDIR(known.st_mode):
        raise UsageError(f"{state}: is a file; the state folder needs another name")
    look_up(state / _LONGEST, what, state)
    for folder, other in folders.items():
        if _within(state, folder):
            raise UsageError(f"{what} {state}: is or lies in the {other}; name another (--state)")


def look_up(path: Path, what: str, shown: Path | None = None) -> os.stat_result | None:
    """What a name leads to; None where there is nothing. Raises UsageError for a name that cannot
    be looked up: too long, a loop of links, a folder that may not be entered, ... `shown`: the
    name that its user has given, if this one was made of it."""
    # The end of a long name tells as little as its middle.
    named = f"{what} {str(shown or path)[:200]}".removeprefix(f"{OUTPUT} ")
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{named}: cannot be used: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{named}: is no name of a file: {error}") from error


def _check_place(target: Target) -> None:
    path, folder = target.path, target.path.parent
    known, place = look_up(path, target.what), look_up(folder, target.what)
    if known is not None and stat.S_ISDIR(known.st_mode):
        raise UsageError(f"{target}: is a folder; give a file name")
    if place is None or not stat.S_ISDIR(place.st_mode):
        raise UsageError(f"{target}: there is no folder {folder}; create it first")
    if (known is not None and not stat.S_ISREG(known.st_mode)) or _holds_devices(folder):
        raise UsageError(f"{target}: is a device or a pipe; give the name of a file")
    if known is not None and target.appended:
        if not os.access(path, os.W_OK):
            raise UsageError(f"{target}: cannot be written; check its permissions")
    elif not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{target}: the folder {folder} cannot be written")
    look_up(path.with_name(_LONGEST), target.what, path)


def _holds_devices(folder: Path) -> bool:
    """Whether the names in it stand for devices, or for what this process has open."""
    real = folder.resolve()
    return real == Path("/dev") or Path("/proc") in (real, *real.parents)


def _check_outside(target: Target, folders: Mapping[Path, str]) -> None:
    for folder, what in folders.items():
        if _within(target.path.parent, folder):
            raise UsageError(f"{target}: lies in the {what} {folder}; put it elsewhere")


def _check_owner(target: Target) -> None:
    known = look_up(target.path, target.what)
    if known is None or not known.st_size:
        return
    try:
        ours = target.is_ours(target.path)
    except OSError as error:
        raise UsageError(f"{target}: exists and cannot be read: {error.strerror}") from error
    if not ours:
        raise foreign(target)


def foreign(target: Target) -> UsageError:
    """The error for a file that something else has written."""
    return UsageError(
        f"{target}: exists and was not written by llmbatch; remove it, or {_another_name(target)}"
    )


def _another_name(target: Target) -> str:
    if target.what == "error file":
        return "give the output another name, after which this one is called"
    return f"give the {target.what} another name"


def _keys(path: Path, what: str) -> set[_Key]:
    """What names the file: its inode, if it exists, and its place; a name in other case may be
    the same one."""
    known, folder = look_up(path, what), look_up(path.parent, what)
    keys: set[_Key] = {(known.st_dev, known.st_ino)} if known else set()
    return keys | ({(folder.st_dev, folder.st_ino, path.name.casefold())} if folder else set())


def _within(path: Path, folder: Path) -> bool:
    """Whether `path` is the folder or lies in it, at any depth and by whatever links."""
    keys = _keys(folder, "folder")
    real = path.resolve()
    return any(_keys(place, "folder") & keys for place in (real, *real.parents))
