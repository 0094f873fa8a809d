"""What happened in a run, and when, as far as its checkpoints tell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.accounting.usage import RunUsage
from llmbatch.core.clock import Moment
from llmbatch.core.errors import ExitCode
from llmbatch.store import moments, results
from llmbatch.store.database import Database

_MOST_POINTS = 300
_MOST_MARKS = 200
_MOST_CHUNKS = 200
# Finding the chunks of more attempts than this takes seconds and hundreds of megabytes.
_MOST_ATTEMPTS = 2_000_000
_ORDERLY = (ExitCode.OK, ExitCode.INCOMPLETE)
_COUNTED = ("rows", "prompt_tokens", "output_tokens")
_LOAD = ("cache_usage", "running")


@dataclass(frozen=True, slots=True)
class Point:
    """What a stretch of a run did, per second; `at`: seconds since the run began, of its end."""

    at: float
    seconds: float
    rows: float
    prompt_tokens: float
    output_tokens: float
    cache_usage: float
    running: float


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened `at` seconds after the run began. `kind`: "engine ready", "engine
    died", "engine restarted", "checkpoint", "stopped" or "ended"."""

    at: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ChunkLine:
    """`chunks` chunks of the planned order from `chunk` on: when (seconds since the run began, as
    exact as the checkpoints are) the first and the last of their requests settled in the run, how
    many there were and how many of them failed for good."""

    chunk: int
    first_at: float
    last_at: float
    requests: int
    failed: int
    chunks: int = 1


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happened in one run, over time. Neighbours are merged where there are more than some
    hundreds of them; of a run with millions of attempts there are no `chunks`."""

    run: int
    seconds: float
    points: list[Point]
    marks: list[Mark]
    chunks: list[ChunkLine]


def build(db: Database, run: RunUsage) -> Timeline:
    """The timeline of a run that the store knows."""
    began = _began(db, run)
    starts = [
        moments.read(line, "ready").since(began)
        for line in results.report(db, "engine_starts")
        if line["run"] == run.run
    ]
    checkpoints = [
        line | {"at": moments.read(line, "committed").since(began)}
        for line in results.report(db, "timeline_checkpoints", run=run.run)
    ]
    marks = [*_engines(run, starts), *_commits(checkpoints), _end(run)]
    return Timeline(
        run=run.run,
        seconds=run.seconds,
        points=_points(db, run, checkpoints, starts),
        marks=sorted(marks, key=lambda mark: mark.at),
        chunks=_chunks(db, run, {line["checkpoint"]: line["at"] for line in checkpoints}),
    )


def _began(db: Database, run: RunUsage) -> Moment:
    lines = results.report(db, "run_summaries")
    return next(moments.read(line, "started") for line in lines if line["run"] == run.run)


def _engines(run: RunUsage, starts: Sequence[float]) -> Iterator[Mark]:
    for number, at in enumerate(starts):
        kind = "engine restarted" if number else "engine ready"
        yield Mark(at, kind, f"start {number + 1}")
    for death in run.deaths:
        yield Mark(death.seconds, "engine died", death.reason)


def _commits(checkpoints: Sequence[dict[str, Any]]) -> Iterator[Mark]:
    every = -(-len(checkpoints) // _MOST_MARKS) or 1
    for line in checkpoints[every - 1 :: every]:
        yield Mark(line["at"], "checkpoint", f"checkpoint {line['checkpoint']}")


def _end(run: RunUsage) -> Mark:
    return Mark(run.seconds, "ended" if run.exit_code in _ORDERLY else "stopped", run.reason)


@dataclass(slots=True)
class _Stretch:
    """Time of an engine's life between checkpoints, and what they hold."""

    began: float
    at: float
    amounts: dict[str, float]

    def joined(self, later: "_Stretch") -> "_Stretch":
        sums = {name: self.amounts[name] + later.amounts[name] for name in self.amounts}
        return _Stretch(self.began, later.at, sums)

    def point(self) -> Point:
        seconds = self.at - self.began
        held = {name: amount / seconds for name, amount in self.amounts.items()}
        return Point(self.at, seconds, **held)


def _points(
    db: Database, run: RunUsage, checkpoints: list[dict[str, Any]], starts: Sequence[float]
) -> list[Point]:
    held = results.report(db, "timeline_tokens", run=run.run)
    stretches = _stretches(checkpoints, {line["checkpoint"]: line for line in held}, starts)
    shortest = run.seconds / _MOST_POINTS
    merged: list[_Stretch] = []
    for stretch in stretches:
        if merged and merged[-1].at == stretch.began and _lasts(merged[-1]) < shortest:
            merged[-1] = merged[-1].joined(stretch)
        else:
            merged.append(stretch)
    return [stretch.point() for stretch in merged if _lasts(stretch) > 0]


def _lasts(stretch: _Stretch) -> float:
    return stretch.at - stretch.began


def _stretches(
    checkpoints: list[dict[str, Any]],
    lines: dict[int, dict[str, Any]],
    starts: Sequence[float],
) -> Iterator[_Stretch]:
    """From each checkpoint, or the engine's start after it, to the next one. Loads are weighted
    by seconds, so that they can be summed like the rest."""
    before = 0.0
    for line in checkpoints:
        at, held = line["at"], lines.get(line["checkpoint"], {})
        began = max([before, *(ready for ready in starts if ready <= at)])
        amounts = {name: float(held.get(name, 0)) for name in _COUNTED}
        amounts |= {name: line[name] * (at - began) for name in _LOAD}
        yield _Stretch(began, at, amounts)
        before = at


def _chunks(db: Database, run: RunUsage, at: dict[int, float]) -> list[ChunkLine]:
    """`at`: when the checkpoints of the run were."""
    if not 0 < run.requests <= _MOST_ATTEMPTS:
        return []
    (plan,) = results.report(db, "timeline_chunk_size", run=run.run)
    chunks = -(-plan["requests"] // plan["chunk_size"])
    each = -(-chunks // _MOST_CHUNKS) or 1
    size = each * plan["chunk_size"]

    return [
        ChunkLine(
            chunk=line["part"] * each,
            first_at=at.get(line["first_checkpoint"], 0.0),
            last_at=at.get(line["last_checkpoint"], run.seconds),
            requests=line["requests"],
            failed=line["failed"],
            chunks=min(each, chunks - line["part"] * each),
        )
        for line in results.report(db, "timeline_chunks", run=run.run, size=size)
    ]
