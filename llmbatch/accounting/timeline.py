"""The events of a run over time, as exact as its checkpoints are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmbatch.accounting.usage import RunUsage
from llmbatch.core.clock import Moment
from llmbatch.core.errors import ExitCode
from llmbatch.store import checkpoints, run_records
from llmbatch.store.checkpoints import CheckpointLoad, CheckpointTokens
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
    """The rates of a stretch of a run, per second; it ended `at` seconds after the run began."""

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
    """The events of one run over time. Neighbours are merged where there are more than some
    hundreds of them; of a run with millions of attempts there are no `chunks`."""

    run: int
    seconds: float
    points: list[Point]
    marks: list[Mark]
    chunks: list[ChunkLine]


def build(db: Database, run: RunUsage) -> Timeline:
    """The timeline of a run that the store knows."""
    began = _began(db, run)
    starts = [start.ready.since(began) for start in run_records.starts(db) if start.run == run.run]
    loads = checkpoints.loads(db, run.run)
    at = {load.checkpoint: load.committed.since(began) for load in loads}
    marks = [*_engines(run, starts), *_commits(at), _end(run)]
    return Timeline(
        run=run.run,
        seconds=run.seconds,
        points=_points(db, run, loads, at, starts),
        marks=sorted(marks, key=lambda mark: mark.at),
        chunks=_chunks(db, run, at),
    )


def _began(db: Database, run: RunUsage) -> Moment:
    return next(each.started for each in run_records.summaries(db) if each.run == run.run)


def _engines(run: RunUsage, starts: Sequence[float]) -> Iterator[Mark]:
    for number, at in enumerate(starts):
        kind = "engine restarted" if number else "engine ready"
        yield Mark(at, kind, f"start {number + 1}")
    for death in run.deaths:
        yield Mark(death.seconds, "engine died", death.reason)


def _commits(at: Mapping[int, float]) -> Iterator[Mark]:
    """A mark for each checkpoint, or for every so many. `at`: seconds by checkpoint."""
    every = -(-len(at) // _MOST_MARKS) or 1
    for number, seconds in list(at.items())[every - 1 :: every]:
        yield Mark(seconds, "checkpoint", f"checkpoint {number}")


def _end(run: RunUsage) -> Mark:
    return Mark(run.seconds, "ended" if run.exit_code in _ORDERLY else "stopped", run.reason)


@dataclass(slots=True)
class _Stretch:
    """The time of an engine between two checkpoints, and the amounts of the later one."""

    began: float
    at: float
    amounts: dict[str, float]

    def joined(self, later: "_Stretch") -> "_Stretch":
        sums = {name: self.amounts[name] + later.amounts[name] for name in self.amounts}
        return _Stretch(self.began, later.at, sums)

    def point(self) -> Point:
        seconds = self.at - self.began
        rates = {name: amount / seconds for name, amount in self.amounts.items()}
        return Point(self.at, seconds, **rates)


def _points(
    db: Database,
    run: RunUsage,
    loads: Sequence[CheckpointLoad],
    at: Mapping[int, float],
    starts: Sequence[float],
) -> list[Point]:
    """`at`, `starts`: seconds since the run began, of its checkpoints and of its engines."""
    tokens = {each.checkpoint: each for each in checkpoints.tokens(db, run.run)}
    stretches = _stretches(loads, tokens, at, starts)
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
    loads: Sequence[CheckpointLoad],
    tokens: Mapping[int, CheckpointTokens],
    at: Mapping[int, float],
    starts: Sequence[float],
) -> Iterator[_Stretch]:
    """The stretches from each checkpoint, or the engine's start after it, to the next one. Loads
    are weighted by seconds, so that they can be summed like the rest."""
    before = 0.0
    for load in loads:
        end, counted = at[load.checkpoint], tokens.get(load.checkpoint)
        began = max([before, *(ready for ready in starts if ready <= end)])
        amounts = {name: float(getattr(counted, name, 0)) for name in _COUNTED}
        amounts |= {name: getattr(load, name) * (end - began) for name in _LOAD}
        yield _Stretch(began, end, amounts)
        before = end


def _chunks(db: Database, run: RunUsage, at: Mapping[int, float]) -> list[ChunkLine]:
    """`at`: when the checkpoints of the run were."""
    if not 0 < run.requests <= _MOST_ATTEMPTS:
        return []
    plan = checkpoints.chunk_size(db, run.run)
    chunks = -(-plan.requests // plan.chunk_size)
    each = -(-chunks // _MOST_CHUNKS) or 1
    size = each * plan.chunk_size
    return [
        ChunkLine(
            chunk=part.part * each,
            first_at=at.get(part.first_checkpoint, 0.0),
            last_at=at.get(part.last_checkpoint, run.seconds),
            requests=part.requests,
            failed=part.failed,
            chunks=min(each, chunks - part.part * each),
        )
        for part in checkpoints.parts(db, run.run, size)
    ]
