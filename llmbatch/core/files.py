"""The only place that renames files: a name exists only when what it names is whole."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO

from llmbatch.core import drafts


def publish(draft: Path, final: Path) -> None:
    """Sync `draft`, give it its final name, sync the folder: it survives a power cut."""
    descriptor = os.open(draft, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(final)
    sync_folder(final.parent)


def behind_link(name: Path) -> Path:
    """The file that a user's name stands for: of a link its target, so that the link stays. In a
    state folder no link is followed."""
    return Path(os.path.realpath(name)) if os.path.islink(name) else name  # noqa: PTH114 (of any name)


@contextmanager
def atomic(final: Path) -> Iterator[BinaryIO]:
    """Write a file that appears under its name only when the block ends without an error, and then
    survives a power cut. A killed run may leave a draft, until the name is written again. A link
    of that name is replaced: see `behind_link`."""
    with drafts.draft(final) as (path, stream):
        yield stream
        if not stream.closed:
            stream.flush()
        publish(path, final)


def set_aside(path: Path) -> Path:
    """Rename a damaged file so that it is not found again; returns the new name."""
    aside = free_name(path)
    path.rename(aside)
    sync_folder(path.parent)
    return aside


def keep_copy(path: Path) -> Path:
    """Copy a damaged file to a name at which it is not looked for; returns that name."""
    kept = free_name(path)
    with atomic(kept) as copy, path.open("rb") as stream:
        shutil.copyfileobj(stream, copy)
    return kept


def free_name(path: Path) -> Path:
    """The first name of the form NAME.damaged, NAME.damaged.2, ... that is not taken."""
    first = path.with_name(path.name + ".damaged")
    later = (first.with_name(f"{first.name}.{number}") for number in count(2))
    return next(name for name in chain((first,), later) if not os.path.lexists(name))


def replace_text(final: Path, text: str) -> None:
    """Replace a file by `text` at once, unsynced: for the live view, which a crash may lose."""
    with drafts.draft(final) as (path, stream):
        stream.write(text.encode())
        stream.flush()
        path.replace(final)


def remove(final: Path) -> None:
    """Remove a file, and the drafts of it that killed runs have left."""
    final.unlink(missing_ok=True)
    drafts.remove_stale(final)


def sync_folder(folder: Path) -> None:
    """Sync the names in a folder, so that they survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
