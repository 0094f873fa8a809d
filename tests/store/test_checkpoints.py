"""The checkpoints of a run, as its timeline reads them."""

from llmbatch.core import clock
from llmbatch.core.outcomes import Verdict
from llmbatch.store import checkpoints, runs
from llmbatch.store.checkpoints import CheckpointTokens, ChunkSize, PlanPart
from llmbatch.store.database import Database
from llmbatch.store.runs import Attempt

C = "c" * 32


def worked(db: Database) -> int:
    """A run with two checkpoints: a try that failed, and the answer."""
    run = runs.begin(db, 1, clock.moment(), {"run": {"chunk_size": 7}})
    retry = Attempt(C, 1, Verdict.RETRY, "truncated", "cut", "length", "z", 5, 0, 2)
    answer = Attempt(C, 2, Verdict.ANSWERED, None, None, "stop", "z", 5, 0, 3)
    runs.checkpoint(db, run, 1, [retry], {"cache_usage": 0.25, "running": 6})
    runs.checkpoint(db, run, 2, [answer], {})
    return run


def test_a_checkpoint_has_its_moment_and_the_load(healthy: Database) -> None:
    first, second = checkpoints.loads(healthy, worked(healthy))
    assert (first.checkpoint, first.cache_usage, first.running) == (1, 0.25, 6.0)
    assert (second.checkpoint, second.cache_usage, second.running) == (2, 0.0, 0.0)
    assert second.committed.since(first.committed) >= 0


def test_a_retry_settles_no_row(healthy: Database) -> None:
    found = checkpoints.tokens(healthy, worked(healthy))
    assert sorted(found, key=lambda each: each.checkpoint) == [
        CheckpointTokens(1, prompt_tokens=5, output_tokens=2, rows=0),
        CheckpointTokens(2, prompt_tokens=5, output_tokens=3, rows=1),
    ]


def test_the_planned_order_has_parts(healthy: Database) -> None:
    assert checkpoints.parts(healthy, 1, 1) == [PlanPart(0, 1, 1, 1, 0), PlanPart(1, 2, 2, 1, 1)]
    assert checkpoints.parts(healthy, worked(healthy), 3) == [PlanPart(0, 1, 2, 1, 0)]


def test_a_chunk_is_as_large_as_the_run_was_asked_for(healthy: Database) -> None:
    assert checkpoints.chunk_size(healthy, 1) == ChunkSize(4096, 3)
    assert checkpoints.chunk_size(healthy, worked(healthy)) == ChunkSize(7, 3)
