"""The memory of starts: the variables that vLLM gave its processes, for the next start alike.

Spares are started before vLLM is imported, so it is not known yet with which variables a process of
vLLM's will be started. A start like an earlier one sets the same ones. That is only believed to
start spares early: each is used only if it was right (`spare.Spare.fits`).
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from llmbatch.engines import private_notes
from llmbatch.engines.vllm import versions
from llmbatch.store import running_code

Changes = dict[str, str | None]
# After so many starts in a row in which the spare did not fit there are none any more.
_MOST_MISSED = 2
# What decides which variables vLLM sets for its processes.
_DECIDING = ("VLLM_", "CUDA_", "OMP_", "KMP_", "GOMP_", "MKL_", "LD_")


@dataclass(frozen=True, slots=True)
class Known:
    """The variables that were set (None: removed) for the engine core, beside those that this
    process had before it imported vLLM, and for its workers beside those of the core; how many
    workers it started; how often in a row a spare did not fit."""

    core: Changes = field(default_factory=dict)
    worker: Changes = field(default_factory=dict)
    workers: int = 0
    missed: int = 0

    @property
    def is_useful(self) -> bool:
        """False for a start that is another each time."""
        return self.missed < _MOST_MISSED


# vLLM sets some when it is imported, and later.
_AT_FIRST = dict(os.environ)


def place(options: Mapping[str, Any]) -> Path | None:
    """The note of starts with these options; None where none can be kept."""
    kept = private_notes.folder(os.environ, "LLMBATCH_STARTS", "starts")
    if kept is None:
        return None
    deciding = {
        name: value for name, value in sorted(_AT_FIRST.items()) if name.startswith(_DECIDING)
    }
    like = [
        running_code.name(),
        versions.installed(),
        sys.executable,
        sys.version,
        sorted(os.sched_getaffinity(0)),
        deciding,
        sorted((name, repr(value)) for name, value in options.items()),
    ]
    return kept / private_notes.name(like)


def known(note: Path) -> Known | None:
    """The note of such starts; None if there is none."""
    found = private_notes.read(note)
    try:
        return None if found is None else Known(**found)
    except TypeError:  # of another version
        return None


def keep(note: Path, before: Known | None, seen: Known, *, had_missed: bool) -> None:
    """Keep what a start has shown. `had_missed`: its spare did not fit."""
    missed = (before.missed + 1 if before else 1) if had_missed else 0
    if (seen := replace(seen, missed=missed)) != before:
        private_notes.write(note, asdict(seen))


def changes(now: Mapping[str, str], former: Mapping[str, str], but: Mapping[str, str]) -> Changes:
    """The variables that are other than before, without those of `but`."""
    names = {name for name in now.keys() | former.keys() if now.get(name) != former.get(name)}
    return {name: now.get(name) for name in sorted(names - but.keys())}


def changed(variables: Mapping[str, str], by: Changes) -> dict[str, str]:
    """The variables with these changes."""
    made = dict(variables)
    for name, value in by.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = value
    return made
