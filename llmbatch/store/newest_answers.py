"""The newest answers of a job, read from its journal: also while a run holds its store.

Each transaction of a run is in the journal, synced, before the store has it. A frame that is being
written is not whole yet, and is read later.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbatch.store import frames, journal
from llmbatch.store.frames import Columns, Frame

# The frames that are looked into for the first answers: one has up to 256 attempts.
_FRAMES = 2_000


@dataclass(frozen=True, slots=True)
class SettledRequest:
    """A request that was answered, or failed for good: its key (`request`; rows that share it have
    it in the output's column of that name), and how. `finish_reason` and `answer` are None where
    the engine gave none."""

    run: int
    request: str
    verdict: str
    kind: str | None
    message: str | None
    finish_reason: str | None
    output_tokens: int
    answer: str | None


class NewestAnswers:
    """Follows the journal of the store at `store`."""

    def __init__(self, store: Path) -> None:
        self._path = journal.path_for(store)
        self._read = 0
        self._inode = 0

    def last(self, count: int) -> list[SettledRequest]:
        """The last `count` ones, oldest first; from here on `more` has what follows."""
        found: deque[SettledRequest] = deque()
        with self._path.open("rb") as stream:
            descriptor = stream.fileno()
            known = deque(frames.whole(descriptor, verified=False), maxlen=_FRAMES)
            self._read = known[-1].end if known else 0
            self._inode = self._path.stat().st_ino
            while known and len(found) < count:
                found.extendleft(reversed(list(_settled(descriptor, known.pop()))))
        return list(found)[len(found) - count :] if len(found) > count else list(found)

    def more(self) -> list[SettledRequest]:
        """Those that have come since; of a journal that was written anew meanwhile none."""
        with self._path.open("rb") as stream:
            descriptor = stream.fileno()
            if self._path.stat().st_ino != self._inode:
                self.last(0)
                return []
            found: list[SettledRequest] = []
            while (frame := frames.frame_at(descriptor, self._read)) is not None:
                found.extend(_settled(descriptor, frame))
                self._read = frame.end
        return found


def _settled(descriptor: int, frame: Frame) -> Iterator[SettledRequest]:
    """The requests that were settled in a frame; none in a damaged one."""
    if not frames.is_whole(descriptor, frame):
        return
    attempts = frames.decode(frames.payload(descriptor, frame), frame).get("attempts", {})
    for record in _records(attempts):
        if record["verdict"] != "retry":
            yield SettledRequest(
                record["run"],
                str(record["key"]).replace("-", ""),
                record["verdict"],
                record["kind"],
                record["message"],
                record["finish_reason"],
                record["output_tokens"],
                record["answer"],
            )


def _records(columns: Columns) -> Iterator[dict[str, Any]]:
    names = list(columns)
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(names, values, strict=True))
