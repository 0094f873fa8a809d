"""The only place that renames files: a name exists only when what it names is whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def publish(draft: Path, final: Path) -> None:
    """Sync `draft`, give it its final name, sync the folder: it survives a power cut."""
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(final)
    _sync_folder(final.parent)


@contextmanager
def atomic(final: Path) -> Iterator[BinaryIO]:
    """Write a file that appears under its name only when the block ends without an error.

    The draft lies beside it, under one fixed name, so that a killed run leaves at most one and
    the next run writes over it.
    """
    draft = final.with_name(f".{final.name}.partial")
    try:
        with draft.open("wb") as stream:
            yield stream
        publish(draft, final)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def replace_text(final: Path, text: str) -> None:
    """Put `text` under a name at once, unsynced: for the live view, which a crash may lose."""
    draft = final.with_name(f".{final.name}.partial")
    draft.write_text(text, encoding="utf-8")
    draft.replace(final)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
