"""Findings about a store that are not made again as long as it holds the same.

They lie in a file beside the store, by the name of what was asked, and are forgotten with it: each
is worth no more than the time that it takes to ask again. `stamp` names all that rows, plan,
answers and flags are; `held` says of which content of its tables an invariant was seen to hold.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from llmbatch.core import files
from llmbatch.store import running_code

NAME = "known.json"
_VERSION = 1
# Taken when this is imported: a run may wait for another one while its files are replaced.
_CODE = running_code.name()
# A file that is larger than this is none of ours.
_MOST_BYTES = 64_000_000


class Known:
    """The findings about the store at `path`. Not for use by two threads."""

    def __init__(self, store: Path) -> None:
        self._path = store.with_name(NAME)
        self._stamp = ""
        self._found: dict[str, Any] = {}
        self.held: dict[str, str] = {}
        self.last: dict[str, Any] = {}
        self._is_changed = False
        self._read()

    def get(self, stamp: str, name: str) -> Any:
        """The finding of this name while the store had this stamp; None if nothing was."""
        return self._found.get(name) if stamp == self._stamp else None

    def put(self, stamp: str, name: str, value: Any) -> None:
        """Keep a finding, unless JSON would make another value of it."""
        with suppress(TypeError):
            if orjson.loads(orjson.dumps(value)) != value:
                return
            if stamp != self._stamp:
                self._stamp, self._found = stamp, {}
            self._found[name] = value
            self._is_changed = True

    def hold(self, held: Mapping[str, str]) -> None:
        """Keep for the invariants that hold the names of the content of which they do."""
        if self.held != held:
            self.held = dict(held)
            self._is_changed = True

    def replace(self, name: str, value: Any) -> None:
        """Keep the last finding of this name, which says itself of what it is."""
        if self.last.get(name) != value:
            self.last[name] = value
            self._is_changed = True

    def save(self) -> None:
        """Write the file, if there is something new. A fault costs time in the next run only."""
        if not self._is_changed:
            return
        kept = {"stamp": self._stamp, "found": self._found, "held": self.held}
        kept |= {"last": self.last}
        text = orjson.dumps(kept).decode()
        with suppress(OSError):
            files.replace_text(self._path, f"{_seal(text)}\n{text}")
            self._path.chmod(0o600)
            self._is_changed = False

    def _read(self) -> None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            if self._path.stat().st_size > _MOST_BYTES:
                return
            seal, _, text = self._path.read_text().partition("\n")
            if seal == _seal(text):
                kept = orjson.loads(text)
                self._stamp, self._found = kept["stamp"], kept["found"]
                self.held, self.last = kept["held"], kept["last"]


def _seal(text: str) -> str:
    """The line before a text: a file that was cut or changed does not have it, nor does that of
    other code, which may have asked or written otherwise."""
    return hashlib.blake2b(f"{_VERSION} {_CODE} {text}".encode(), digest_size=16).hexdigest()


def name_of(sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> str:
    """The name of a question, such as a query, and its parameters."""
    asked = orjson.dumps([sql, parameters], default=str)
    return hashlib.blake2b(asked, digest_size=16).hexdigest()
