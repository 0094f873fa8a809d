"""The checkpoints of one run, read for its timeline."""

from dataclasses import dataclass

from llmbatch.core.clock import Moment
from llmbatch.store.database import Database
from llmbatch.store.statements import query


@dataclass(frozen=True, slots=True)
class CheckpointLoad:
    """The moment of a checkpoint, and the engine's load at that time: the share of its cache that
    was used (0..1) and the requests that were running."""

    checkpoint: int
    committed: Moment
    cache_usage: float
    running: float


def loads(db: Database, run: int) -> list[CheckpointLoad]:
    """All checkpoints of a run, in their order."""
    return db.values(CheckpointLoad, query("timeline_checkpoints"), {"run": run})


@dataclass(frozen=True, slots=True)
class CheckpointTokens:
    """The tokens of a checkpoint's attempts, and the rows that they settled. A request that has
    left the plan counts as one row."""

    checkpoint: int
    prompt_tokens: int
    output_tokens: int
    rows: int


def tokens(db: Database, run: int) -> list[CheckpointTokens]:
    """The checkpoints of a run that have attempts, in no order."""
    return db.recall_values(CheckpointTokens, query("timeline_tokens"), {"run": run})


@dataclass(frozen=True, slots=True)
class ChunkSize:
    """The requests of a chunk as a run was asked for, and all `requests` of the current plan."""

    chunk_size: int
    requests: int


def chunk_size(db: Database, run: int) -> ChunkSize:
    """The size of a run's chunks."""
    (size,) = db.values(ChunkSize, query("timeline_chunk_size"), {"run": run})
    return size


@dataclass(frozen=True, slots=True)
class PlanPart:
    """A part of the planned order: its index, the checkpoints in which a run settled the first and
    the last of its requests, how many those were, and how many of them failed for good."""

    part: int
    first_checkpoint: int
    last_checkpoint: int
    requests: int
    failed: int


def parts(db: Database, run: int, size: int) -> list[PlanPart]:
    """The parts of `size` requests in which a run tried any."""
    return db.recall_values(PlanPart, query("timeline_chunks"), {"run": run, "size": size})
