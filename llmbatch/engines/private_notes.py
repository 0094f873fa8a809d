"""Notes that are kept in a private folder of the user's cache, to spare work that was done before.

They are a convenience: where a folder cannot be written, is not private, or holds damage, there are
none.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson


def folder(environment: Mapping[str, str], variable: str, kind: str) -> Path | None:
    """The folder that `variable` names, or `kind` in the user's cache; None if that is "off", or if
    there is none."""
    given = environment.get(variable, "")
    if given:
        return None if given.lower() == "off" else Path(given).expanduser()
    try:
        home = Path(environment.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    except RuntimeError:  # the home folder is not known
        return None
    return home / "llmbatch" / kind


def name(facts: Sequence[Any]) -> str:
    """The name of the note that these facts, which are JSON values, decide on."""
    return hashlib.sha256(orjson.dumps(facts)).hexdigest()


def read(path: Path) -> dict[str, Any] | None:
    """A note, if it is whole and no other user can have written it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not (_is_ours(path.parent.stat()) and _is_ours(os.fstat(descriptor))):
                return None
            sum_, _, content = file.read().partition(b"\n")
        if sum_.decode() != hashlib.sha256(content).hexdigest():
            return None
        note: dict[str, Any] = orjson.loads(content)
    except (OSError, ValueError):
        return None
    return note


def _is_ours(seen: os.stat_result) -> bool:
    others = stat.S_IWGRP | stat.S_IWOTH
    return seen.st_uid == os.geteuid() and not seen.st_mode & others


def write(path: Path, note: Mapping[str, Any]) -> None:
    """Keep a note, whole or not at all; a folder that takes none is no failure."""
    content = orjson.dumps(note)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(path.parent.stat()):
            return
        # Readable for us alone; what two processes write at a time is the same.
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".") as draft:
            draft.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
            draft.flush()
            path.unlink(missing_ok=True)
            path.hardlink_to(draft.name)
    except OSError:
        return
