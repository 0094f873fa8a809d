"""The proof that an output need not be written again: it is still, byte for byte, what an earlier
run wrote of the same rows, answers and flags in the same form.

The digests of both files are kept beside the store, under the store's stamp and a name for all else
that decides on what is written. A file that was edited, damaged or removed has another digest.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from llmbatch.pipeline.rows.made_by_column import MADE_BY
from llmbatch.pipeline.rows.output_file import OutputFile
from llmbatch.quality import made_by
from llmbatch.store import run_records
from llmbatch.store.database import Database
from llmbatch.store.known import name_of

# Others hold more than the rows, or a second file.
_ALONE = ("csv", "tsv", "jsonl", "parquet", "xlsx", "openai-batch")
_GONE = ""
# No file has this digest, so one that cannot be read is replaced.
_UNREADABLE = "unreadable"


@dataclass(slots=True)
class Seal:
    """The digests of the files that are written, by their kind; taken before they have a name."""

    digests: dict[str, str] = field(default_factory=dict)

    def take(self, kind: str, draft: BinaryIO) -> None:
        """The digest of a draft that is complete."""
        if not draft.closed:
            draft.flush()
        self.digests[kind] = _digest(Path(draft.name))


@dataclass(frozen=True, slots=True)
class Proof:
    """That of one output: its name among the findings about the store."""

    name: str
    output: OutputFile

    def notices(self, db: Database) -> Sequence[str] | None:
        """The lines for the user about the output, if both files are what was written; else
        None."""
        kept: Mapping[str, Any] | None = db.noted(self.name)
        if kept is None:
            return None
        named = {"output": self.output.path, "errors": self.output.errors}
        is_same = all(_digest(path) == kept.get(kind, _GONE) for kind, path in named.items())
        return list(kept["notices"]) if is_same else None

    def keep(self, db: Database, seal: Seal, notices: Sequence[str]) -> None:
        """Keep the digests of both files."""
        db.note(self.name, seal.digests | {"notices": list(notices)})


def of(db: Database, output: OutputFile) -> Proof | None:
    """The proof of an output; None for one that is always written."""
    if db.known is None or output.is_stdout or output.format_name not in _ALONE:
        return None
    decisive = [repr(output)]
    if output.meta or MADE_BY in output.columns:
        decisive.append(repr(_makers(db)))
    return Proof(name_of("output", decisive), output)


def _makers(db: Database) -> list[tuple[int, str | None]]:
    """The names of the sets that made the answers, by the runs that have some."""
    names = made_by.by_run(db)
    return [(run, names.get(run)) for run in sorted(run_records.rows(db))]


def _digest(path: Path) -> str:
    """A digest of a file; of none, and of what is no file, that of nothing."""
    try:
        if not path.is_file():
            return _GONE
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return _UNREADABLE
