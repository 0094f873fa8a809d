"""`--log-json`: one JSON line per life event of a run, for machines."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from llmbatch.cli import console
from llmbatch.core import clock
from llmbatch.pipeline.progress import Observer, Progress

TO_STDERR = Path("-")


class EventLog:
    """Passes everything on to another observer, and appends the events to a file."""

    def __init__(self, path: Path, shown: Observer) -> None:
        self._path = path
        self._shown = shown

    def phase(self, text: str) -> None:
        self._shown.phase(text)

    def progress(self, progress: Progress) -> None:
        self._shown.progress(progress)

    def close(self) -> None:
        self._shown.close()

    def event(self, name: str, **fields: Any) -> None:
        self._shown.event(name, **fields)
        at = clock.now().isoformat(timespec="milliseconds")
        record = {"at": at, "event": name, "pid": os.getpid()} | fields
        line = orjson.dumps(record, default=str) + b"\n"
        # A log that cannot be written must never stop a run.
        with suppress(OSError):
            if self._path == TO_STDERR:
                console.narrate(line.decode())
                return
            with self._path.open("ab") as log:
                log.write(line)
