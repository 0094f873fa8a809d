"""`--log-json`: one JSON line per life event of a run, for machines."""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from llmbatch.cli import console
from llmbatch.cli.show import TO_STDERR
from llmbatch.core import clock
from llmbatch.core.errors import ExitCode, LlmbatchError
from llmbatch.job.spec import JobSpec
from llmbatch.job.targets import Target
from llmbatch.pipeline.monitoring.progress import Observer, Progress
from llmbatch.pipeline.run import preflight
from llmbatch.pipeline.run.preflight import CommandFiles

_LONGEST = 2**20
_ENDS = ("finished", "stopped", "failed", "locked")
_ERRORS = {ExitCode.USAGE: "refused", ExitCode.STOPPED: "stopped"}


# Names of streams that are open already.
_STREAMS = re.compile(r"/dev/(stdout|stderr|null|fd/\d+)|/proc/self/fd/\d+")


def _is_log(path: Path) -> bool:
    with path.open("rb") as log:
        first = log.readline(_LONGEST)
    with suppress(orjson.JSONDecodeError):
        event = orjson.loads(first)
        return isinstance(event, dict) and {"at", "event", "pid"} <= event.keys()
    return False


class EventLog:
    """Passes everything on to another observer, and appends the events to a file."""

    def __init__(self, path: Path, shown: Observer, job: str = "") -> None:
        """`job`: the name of the job in each line; empty: it has none."""
        self._path = path
        self._shown = shown
        self._about = {"job": job} if job else {}
        self._warned = False
        self._last = ""

    def phase(self, text: str) -> None:
        self._shown.phase(text)

    def progress(self, progress: Progress) -> None:
        self._shown.progress(progress)

    def close(self) -> None:
        self._shown.close()

    def error(self, error: LlmbatchError) -> None:
        """Log an error, unless the end of the run is logged already."""
        if self._last not in _ENDS:
            name = _ERRORS.get(error.exit_code, "failed")
            self.event(name, reason=str(error), exit_code=int(error.exit_code))

    def event(self, name: str, **fields: Any) -> None:
        self._last = name
        self._shown.event(name, **fields)
        at = clock.now().isoformat(timespec="milliseconds")
        record = {"at": at, "event": name, "pid": os.getpid()} | self._about | fields
        line = orjson.dumps(record, default=str) + b"\n"
        if self._path == TO_STDERR:
            console.event(line.decode())
            return
        try:
            with self._path.open("ab") as log:
                log.write(line)
        except OSError as error:
            self._warn(error)

    def _warn(self, error: OSError) -> None:
        """Warn once of a log that cannot be written; it must never stop a run."""
        if not self._warned:
            console.say(f"warning: {self._path}: cannot be written: {error.strerror}")
        self._warned = True


def open_log(
    path: Path, spec: JobSpec, files: CommandFiles, shown: Observer, job: str = ""
) -> EventLog:
    """Open a log for the run of a job. Raises UsageError for a file that must not be written."""
    if path != TO_STDERR and not _STREAMS.fullmatch(str(path)):
        target = Target("event log", path, _is_log, appended=True)
        preflight.check_log(spec, files, target)
    return EventLog(path, shown, job)
