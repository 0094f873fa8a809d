"""status.json: the live view, since nobody else may open a store that is being written."""

import os
import socket
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import orjson

from llmbatch.core import clock
from llmbatch.core.errors import UsageError
from llmbatch.pipeline.paths import JobPaths
from llmbatch.pipeline.progress import Progress
from llmbatch.store import files


class StatusFile:
    """Writes the live view at most once a second, and at once when the phase changes."""

    def __init__(self, paths: JobPaths) -> None:
        self._path = paths.status
        self._fields: dict[str, Any] = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "started_at": clock.now().isoformat(timespec="milliseconds"),
        }
        self._phase = ""
        self._written = float("-inf")

    def phase(self, name: str, **more: Any) -> None:
        self._phase = name
        self._fields = self._fields | more
        self._write()

    def progress(self, progress: Progress) -> None:
        self._fields = self._fields | {
            "progress": asdict(progress),
            "rows_per_second": progress.rows_per_second,
            "tokens_per_second": progress.tokens_per_second,
            "eta_seconds": progress.eta_seconds,
        }
        if clock.seconds() - self._written >= 1.0:
            self._write()

    def _write(self) -> None:
        self._written = clock.seconds()
        fields = self._fields | {
            "phase": self._phase,
            "updated_at": clock.now().isoformat(timespec="milliseconds"),
        }
        # A live view that cannot be written (full disk) must never stop the run.
        with suppress(OSError):
            files.replace_text(self._path, orjson.dumps(fields).decode())


def read(paths: JobPaths) -> dict[str, Any]:
    """The last live view of a job. Raises UsageError when there is none."""
    try:
        found: dict[str, Any] = orjson.loads(paths.status.read_bytes())
    except FileNotFoundError as error:
        raise UsageError(f"{paths.state}: no run has worked here yet") from error
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{paths.status}: is damaged; run the job to write it again") from error
    return found
