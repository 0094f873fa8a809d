"""status.json, the live view: no other process can open a store while a run writes it."""

import os
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from llmbatch.core import clock, files
from llmbatch.core.clock import Moment
from llmbatch.core.errors import UsageError
from llmbatch.core.outcomes import Usage
from llmbatch.engines.info import EngineInfo
from llmbatch.job.folder import JobPaths
from llmbatch.pipeline.monitoring.cost_so_far import RunCost
from llmbatch.pipeline.monitoring.progress import Progress
from llmbatch.pipeline.monitoring.prometheus import MetricsFile
from llmbatch.pipeline.monitoring.resources import Meter
from llmbatch.store import trust
from llmbatch.store.results import Counts

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIME_SPACE = Path("/proc/self/ns/time")
_INTERVAL = 1.0
# The run writes more often than this (seconds), unless it is busy.
_BEAT = 1.5
_OF_PROCESS = ("last_success_at", "stage")


class StatusFile:
    """Writes the live view at most once a second, and at once when the phase changes.

    The metrics file of the job, if it has one, gets the same values.
    """

    def __init__(
        self,
        paths: JobPaths,
        run_cost: RunCost | None = None,
        meter: Meter | None = None,
        metrics: MetricsFile | None = None,
        started: Moment | None = None,
    ) -> None:
        """`run_cost`: the prices of the run; `meter`: measures what it uses, if that is wanted;
        `started`: when the run began, if not now."""
        self._path = paths.status
        self._run_cost = run_cost or RunCost()
        self._meter = meter
        self._metrics = metrics
        self._started = started or clock.moment()
        self._lasted: float | None = None
        # The thread of the meter writes, too.
        self._writing = threading.Lock()
        self._fields: dict[str, Any] = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "started_at": _text(self._started.at),
            "engine_restarts": 0,
        }
        self._phase = ""
        self._counts = Counts()
        self._usage = Usage()
        self._written = float("-inf")

    @property
    def ended(self) -> bool:
        """True once `end` was called."""
        return "exit_code" in self._fields

    @property
    def current(self) -> str:
        """The present phase; empty before the first."""
        return self._phase

    def end(self, at: Moment, reason: str, code: int) -> None:
        """Write that the run is over; its time and cost follow from its moments in the store."""
        self._lasted = at.since(self._started)
        self.phase("ended", ended_at=_text(at.at), reason=reason, exit_code=code)

    def phase(self, name: str, **more: Any) -> None:
        self._phase = name
        self.note(**more)
        self._write(at_once=True)

    @property
    def kept(self) -> dict[str, Any]:
        """The fields that another run of the same process shows, too."""
        return {name: self._fields[name] for name in _OF_PROCESS if name in self._fields}

    def note(self, **more: Any) -> None:
        """Add fields to the view that is written next."""
        self._fields = self._fields | more

    def counts(self, counts: Counts) -> None:
        """Take over the states of all rows, from the store."""
        self._counts = counts
        self.note(rows=asdict(counts))

    def engine(self, restarts: int, info: EngineInfo) -> None:
        """Note that an engine is ready, and the number of its devices."""
        self.note(engine_restarts=restarts)
        if self._meter is not None:
            self._meter.devices = info.device_count or self._meter.devices

    def progress(self, progress: Progress) -> None:
        self._usage = Usage(progress.prompt_tokens, progress.cached_tokens, progress.output_tokens)
        self.note(
            progress=asdict(progress),
            rows=self._rows(progress),
            rows_per_second=progress.rows_per_second,
            tokens_per_second=progress.tokens_per_second,
            prompt_tokens_per_second=progress.prompt_tokens_per_second,
            eta_seconds=progress.eta_seconds,
            projected_cost=progress.projected_cost,
        )
        if clock.seconds() - self._written >= _INTERVAL:
            self._write()

    def beat(self) -> None:
        """Write the view if the run has not done so for a while; from any thread."""
        if not self.ended and clock.seconds() - self._written >= _BEAT:
            self._write()

    def _rows(self, progress: Progress) -> dict[str, int]:
        failed = self._counts.failed + progress.failed
        return {
            "answered": progress.rows_done - failed,
            "failed": failed,
            "pending": progress.rows - progress.rows_done,
            "rejected": self._counts.rejected,
            "skipped": self._counts.skipped,
        }

    def _write(self, *, at_once: bool = False) -> None:
        with self._writing:
            self._written = clock.seconds()
            view = self._view()
            # A live view that cannot be written (full disk) must never stop the run.
            with suppress(OSError):
                files.replace_text(self._path, orjson.dumps(view).decode())
            if self._metrics is not None:
                self._metrics.show(view, at_once=at_once)

    def _view(self) -> dict[str, Any]:
        used = self._meter.resources if self._meter else None
        lasted = self._run_cost.seconds if self._lasted is None else self._lasted
        cost = self._run_cost.so_far(self._usage, lasted)
        view = self._fields | {
            "phase": self._phase,
            "updated_at": clock.now().isoformat(timespec="milliseconds"),
            "updated_seconds": clock.seconds(),
            "clock": _clock(),
            "elapsed_seconds": lasted,
            "cost": cost,
            "currency": self._run_cost.cost.currency,
            "resources": asdict(used) if used else None,
        }
        if self.ended and "progress" in view:
            view["progress"] = view["progress"] | {"cost": cost}
        return view


def _text(at: datetime) -> str:
    """A time with the precision of the store."""
    return at.isoformat(timespec="microseconds")


def _clock() -> str | None:
    """The name of the clock that `clock.seconds` reads. All processes share it while the machine
    runs, unless they are in a container that has a clock of its own."""
    try:
        started = _BOOT_ID.read_text().strip()
        return f"{started} {_TIME_SPACE.readlink()}" if _TIME_SPACE.is_symlink() else started
    except OSError:
        return None


def age(seen: Mapping[str, Any]) -> float:
    """The age of a live view in seconds; by the wall clock, which may have been set, only if it
    was written on another machine."""
    if seen.get("clock") and seen["clock"] == _clock():
        return max(0.0, clock.seconds() - float(seen["updated_seconds"]))
    written = datetime.fromisoformat(seen["updated_at"])
    return max(0.0, (clock.now() - written).total_seconds())


def read(paths: JobPaths) -> dict[str, Any]:
    """The last live view of a job. Raises UsageError when there is none."""
    trust.check(paths.state)
    try:
        found: dict[str, Any] = orjson.loads(paths.status.read_bytes())
    except FileNotFoundError as error:
        raise UsageError(f"{paths.state}: no run has worked here yet") from error
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{paths.status}: is damaged; run the job to write it again") from error
    return found
