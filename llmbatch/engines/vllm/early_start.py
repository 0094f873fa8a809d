"""The early part of an engine's start: its processes import vLLM while this one does.

With it go the engine's temporary folder, which the variables of its processes name, and what they
teach for the next start (`start_memory`).
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from llmbatch.engines.vllm import adoption, leftovers, processes, spare, start, start_memory
from llmbatch.engines.vllm.adoption import Offer


class EarlyStart:
    """The beginning of one engine's start."""

    def __init__(self, options: Mapping[str, Any], log: TextIO | None) -> None:
        """Start a spare for the engine core, if it is known what it would be started with. The
        environment is that of a start (`start.set_environment`)."""
        self.scratch = leftovers.Scratch()
        # vLLM's import sets variables, so a start after it does not teach all of them.
        self._first = None if "vllm" in sys.modules else dict(os.environ)
        self._note = start_memory.place(options)
        self._before = start_memory.known(self._note) if self._note else None
        self._launches: list[tuple[bool, Mapping[str, str]]] = []
        self._offer = Offer(launched=self._launched)
        # Without an engine core's process there is nothing to start.
        if self._before and self._before.is_useful and _has_processes():
            # The tracker of shared memory, which may be started with it, keeps the log.
            with contextlib.suppress(OSError), processes.output_to(log):
                self._offer.spares.append(self._spare(self._before, log))

    def _spare(self, known: start_memory.Known, log: TextIO | None) -> spare.Spare:
        expected = start_memory.changed(dict(os.environ) | self.scratch.names, known.core)
        environment = start_memory.changed(expected, known.worker)
        return spare.start(environment, expected, known.workers, log)

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Meanwhile the engine's processes may become the spares, and what they are started with is
        kept in the end."""
        had_spare = bool(self._offer.spares)
        with self.scratch.used(), adoption.offered(str(self.scratch.path), self._offer):
            yield
        if self._note is not None and self._launches:
            self._keep(self._note, had_spare=had_spare)

    def _keep(self, note: Path, *, had_spare: bool) -> None:
        is_spare, variables = self._launches[0]
        if self._first is not None:
            core = start_memory.changes(variables, self._first, self.scratch.names)
        elif self._before is not None:
            core = self._before.core
        else:
            return
        seen = start_memory.Known(core, *self._workers_seen(variables))
        start_memory.keep(note, self._before, seen, had_missed=had_spare and not is_spare)

    def _workers_seen(self, core: Mapping[str, str]) -> tuple[start_memory.Changes, int]:
        """The variables of the first worker of the engine core, and how many it has."""
        told = leftovers.told(self.scratch.path)
        if not told:
            return {}, 0
        return start_memory.changes(told[0], core, {}), len(told)

    def _launched(self, is_spare: bool, variables: Mapping[str, str]) -> None:
        self._launches.append((is_spare, variables))

    def end_spares(self) -> None:
        """End the spares that were not used."""
        spare.end_all(self._offer.spares)

    def end(self) -> None:
        """End what was begun; the temporary folder goes, too."""
        self.end_spares()
        self.scratch.remove()


class EarlySlot:
    """The early start of an engine, from its beginning until the engine takes it over."""

    def __init__(self) -> None:
        self._begun: EarlyStart | None = None

    def begin(self, options: Mapping[str, Any], log: TextIO | None, *, local: bool) -> None:
        """Begin it, unless that was done. `local`: the model's files are here."""
        start.set_environment(local=local)
        if self._begun is None:
            self._begun = EarlyStart(options, log)

    def taken(self) -> EarlyStart:
        """The start that was begun; it is its taker's then."""
        begun, self._begun = self._begun, None
        assert begun is not None
        return begun

    def end(self) -> None:
        """End what was begun and not taken."""
        if self._begun is not None:
            self.taken().end()


def _has_processes() -> bool:
    return os.environ.get("VLLM_ENABLE_V1_MULTIPROCESSING", "1") != "0"
