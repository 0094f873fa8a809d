"""From the input files to rows and rejects in the store."""

import hashlib
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmbatch.core import drafts, exact_json
from llmbatch.core.errors import UsageError
from llmbatch.pipeline.rows import input_parts
from llmbatch.pipeline.rows.guards import Guard, unguarded
from llmbatch.pipeline.rows.input_file import QUERY_FORMAT, InputFile
from llmbatch.pipeline.rows.input_parts import Part, Parts
from llmbatch.pipeline.rows.parts_reader import PartsReader
from llmbatch.store import carrying, snapshots
from llmbatch.store.database import Database
from llmbatch.store.snapshots import Snapshot, Source

# The rules by which inputs are read: others make other rows of the same content.
_READING = 2


def ingest(
    db: Database,
    source: InputFile,
    spool: Path,
    guard: Guard = unguarded,
    *,
    anew: bool = False,
) -> Snapshot:
    """Bring the store's rows up to date with the input; a content already held is not read again,
    unless `anew`. What can be read only once is kept in the file `spool`, or beside it, meanwhile.

    Raises UsageError when the input as a whole cannot be used, and where the `guard` does.
    """
    keep = _kept if source.query is None else _asked
    with keep(source, spool) as parts:
        return _ingest(db, source, parts, guard, anew=anew)


@contextmanager
def _asked(source: InputFile, spool: Path) -> Iterator[Parts]:
    """The rows of a query, in a file."""
    assert source.query is not None
    try:
        notes = source.query.write(spool, source.id_column)
        yield Parts([Part(source.name, spool, QUERY_FORMAT)], notes)
    finally:
        spool.unlink(missing_ok=True)


@contextmanager
def _kept(source: InputFile, spool: Path) -> Iterator[Parts]:
    """The files of an input, all of which can be read more than once."""
    parts, spools = input_parts.find(source), list[Path]()
    try:
        found = Parts(notes=parts.notes)
        for part in parts.files:
            if not part.is_once:
                found.files.append(part)
                continue
            spools.append(spool.with_name(spool.name + f".{len(spools) + 1}" * bool(spools)))
            _keep(part, spools[-1])
            found.files += input_parts.parts_of(part.name, spools[-1], source, found)
        input_parts.check_formats(found.files, source)
        yield found
    finally:
        for path in spools:
            path.unlink(missing_ok=True)


def _keep(part: Part, spool: Path) -> None:
    """Copy a pipe, which can be read only once, while its content has to be hashed and read."""
    with drafts.create(spool) as kept:
        if part.path is None:
            shutil.copyfileobj(sys.stdin.buffer, kept)
        else:
            with part.path.open("rb") as pipe:
                shutil.copyfileobj(pipe, kept)


def _ingest(db: Database, source: InputFile, parts: Parts, guard: Guard, *, anew: bool) -> Snapshot:
    before = [_stat(part) for part in parts.files]
    digest = _digest(parts, source)
    newest = snapshots.newest(db)
    is_read = newest is not None and newest.source.digest == digest and not anew
    if newest and is_read and snapshots.has_long_texts(db, newest.snapshot):
        guard(db, newest)
        return newest
    reader = PartsReader(source, parts.files)

    def describe() -> Source:
        for part, status in zip(parts.files, before, strict=True):
            if _stat(part) != status:
                raise UsageError(f"{part.name}: changed while it was read; run again")
        return Source(
            source.name,
            parts.files[0].format_name,
            digest,
            source.id_column,
            reader.columns,
            [*parts.notes, *reader.notes],
            [part.name for part in parts.files],
        )

    return snapshots.replace(db, reader.rows(), describe, source.choice, guard, carrying.stage)


def _stat(part: Part) -> tuple[int, int]:
    assert part.path is not None
    status = part.path.stat()
    return status.st_size, status.st_mtime_ns


def _digest(parts: Parts, source: InputFile) -> str:
    """Names the content and how it is read. Times are not part of it, nor is the name of a single
    file; the names of several are, as they name the rows."""
    whole = hashlib.sha256()
    files = parts.files
    contents = [_content(part) for part in files]
    if len(files) > 1 or files[0].member:
        named = zip(contents, PartsReader.short_names(files), strict=True)
        whole.update(exact_json.dump_record([list(pair) for pair in named]).encode())
    content = whole.hexdigest() if len(files) > 1 or files[0].member else contents[0]
    how = exact_json.dump_record(source.options.given())
    return (
        f"sha256:{content} format:{files[0].format_name} id:{source.id_column or ''} "
        f"reading:{_READING} {how}{source.choice or ''}"
    )


def _content(part: Part) -> str:
    assert part.path is not None
    with part.path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
