"""The owner of a state folder. Its content is trusted, so only its user may have written it."""

import grp
import os
import pwd
import re
import stat
from contextlib import suppress
from pathlib import Path

from llmbatch.core.errors import StoreError

# The files of a job; a state folder may hold others, which are never opened.
_OURS = re.compile(
    r"job\.duckdb.*|copy\.(?:duckdb.*|wanted)|journal.*|job\.lock|status\.json|run\.log|report\.json|known\.json|tmp"
)
# Never read unless this run has made it anew.
_SPOOL = "stdin"
_ADVICE = "name a folder of your own with --state, or trust it with --trust-state"

_everybody = False


class UntrustedError(StoreError):
    """A state folder whose content may come from another user."""


def trust_everybody() -> None:
    """Let this process use state folders that others own or can write."""
    global _everybody  # noqa: PLW0603 (one per process, like its user)
    _everybody = True


def check(folder: Path) -> None:
    """Raise UntrustedError unless the state folder and the job's files in it belong to the user and
    others can write neither. A link in place of a file is refused even in a trusted folder."""
    try:
        seen = folder.stat()
        entries = [entry for entry in os.scandir(folder) if _OURS.fullmatch(entry.name)]
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise UntrustedError(f"{folder}: cannot be looked into: {error.strerror}") from error
    _check(folder, folder.lstat(), seen)
    for entry in entries:
        path = Path(entry.path)
        with suppress(FileNotFoundError):
            _check_entry(path, path.lstat(), within=seen)


def _check(folder: Path, link: os.stat_result, seen: os.stat_result) -> None:
    if _everybody:
        return
    for found in (link, seen):
        _check_owner(folder, found, "the state folder")
    if _is_open_to_others(seen):
        raise UntrustedError(
            f"{folder}: others can write to the state folder (mode {_mode(seen)}): chmod go-w it "
            f"if all in it is yours, {_ADVICE}"
        )


def _check_entry(path: Path, seen: os.stat_result, within: os.stat_result) -> None:
    if not (stat.S_ISREG(seen.st_mode) or stat.S_ISDIR(seen.st_mode)):
        kind = "a link" if stat.S_ISLNK(seen.st_mode) else "not a file"
        raise UntrustedError(f"{path}: is {kind}, which no run has made; remove it")
    if _everybody:
        return
    _check_owner(path, seen, "a file of the job")
    # In a folder that others cannot enter, files with the open modes of older versions are safe.
    if within.st_mode & 0o077 and _is_open_to_others(seen):
        raise UntrustedError(
            f"{path}: others can write to a file of the job (mode {_mode(seen)}): chmod go-w it if "
            f"it is as you left it, {_ADVICE}"
        )


def _check_owner(path: Path, seen: os.stat_result, what: str) -> None:
    if seen.st_uid != os.geteuid():
        raise UntrustedError(
            f"{path}: {what} belongs to {_user(seen.st_uid)}, and you are "
            f"{_user(os.geteuid())}; {_ADVICE}"
        )


def _is_open_to_others(seen: os.stat_result) -> bool:
    if seen.st_mode & stat.S_IWOTH:
        return True
    return bool(seen.st_mode & stat.S_IWGRP) and not _is_group_of_one(seen.st_gid)


def _is_group_of_one(group: int) -> bool:
    """True for the private group of the user, which many systems give to each user; their new files
    are usually open to it."""
    try:
        known, user = grp.getgrgid(group), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return group == user.pw_gid and known.gr_name == user.pw_name and not known.gr_mem


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _mode(seen: os.stat_result) -> str:
    return f"{stat.S_IMODE(seen.st_mode):04o}"


def settle(folder: Path) -> None:
    """Make a state folder private, and its files as private as it is. A shared one, which
    only --trust-state allows, stays shared: its files are then as open as the folder."""
    with suppress(OSError):
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & 0o077 and not _everybody:
            folder.chmod(mode := mode & 0o700)
        for entry in os.scandir(folder):
            known = entry.name == _SPOOL or _OURS.fullmatch(entry.name)
            if known and entry.is_file(follow_symlinks=False):
                _settle(Path(entry.path), 0o600 | mode & 0o066)


def _settle(path: Path, mode: int) -> None:
    seen = path.lstat()
    if seen.st_uid == os.geteuid() and stat.S_IMODE(seen.st_mode) != mode:
        with suppress(OSError):
            path.chmod(mode)
