"""What a run would do: the same reading and planning, in a store that is thrown away."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from llmbatch.core import clock
from llmbatch.core.errors import LockedError
from llmbatch.engines import registry
from llmbatch.engines.base import Engine, EngineConfig
from llmbatch.estimate import limit_warnings, requirements
from llmbatch.estimate.cache_outlook import CacheOutlook
from llmbatch.estimate.output_tokens import OutputTokens
from llmbatch.estimate.prompt_tokens import PromptTokens
from llmbatch.estimate.requirements import Requirements
from llmbatch.estimate.time_and_cost import CostEstimate, TimeEstimate, TokenEstimate
from llmbatch.job import folder as job_folder
from llmbatch.job.alike import is_alike
from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import preflight, reopening
from llmbatch.pipeline.run.preflight import Beside
from llmbatch.pipeline.run.prepare import plan_aside
from llmbatch.sizing.device import Device
from llmbatch.sizing.memory import Memory
from llmbatch.store import history, plans, results
from llmbatch.store.database import Database
from llmbatch.store.history import Left
from llmbatch.store.opening import open_store
from llmbatch.store.runs import RunContext


@dataclass(frozen=True, slots=True)
class Preview:
    """Rows and requests by what would happen to them, and what that would take.

    `reused_*` count what the job's store has settled already; None while another run holds it.
    `prompt` and `output` tokens are None where they cannot be told; `tokens` are those of both
    with retries. `memory`: None without a known device. `stops`: limits that would stop the run
    before its end, a line each.
    """

    rows_in: int
    rejected: int
    template_failures: int
    failure_example: str | None
    requests: int
    duplicates: int
    reused_requests: int | None
    reused_rows: int | None
    chunks: int
    prompt: PromptTokens | None
    output: OutputTokens | None
    tokens: TokenEstimate | None
    memory: Memory | None
    device: Device | None
    time: TimeEstimate
    cost: CostEstimate
    stops: list[str]
    first_messages: list[tuple[str, str]]
    prefix_cache: CacheOutlook


def preview(
    spec: JobSpec, device: Device | None = None, beside: Beside = preflight.NOTHING
) -> Preview:
    """Read and plan the job without a trace; for `device`, or for the one that is there. Raises
    UsageError as a run would, with what its caller reads and writes `beside` the job's files."""
    preflight.check(spec, beside)
    engine = registry.load(spec.engine.name)(EngineConfig(spec.model, spec.engine.options))
    with tempfile.TemporaryDirectory(prefix="llmbatch-plan-") as folder:
        job = JobPaths(Path(folder))
        began = clock.seconds()
        with open_store(job.store, beside=job_folder.paths_for(spec).state) as db:
            order = plan_aside(db, spec, job, engine)
            reading = clock.seconds() - began
            left, locked = _left(db, spec, engine)
            found = requirements.estimate(db, spec, left, engine, order or (), device, reading)
            return _preview(db, spec, left, found, locked=locked)


def _left(db: Database, spec: JobSpec, engine: Engine) -> tuple[Left, bool]:
    """What is left to do, and whether nothing could be asked because a run holds the job."""
    store = job_folder.paths_for(spec).store

    def alike(kept: Any) -> bool:
        return is_alike(kept, spec)

    def outgrown(contexts: Sequence[RunContext]) -> list[int]:
        return reopening.outgrown(contexts, reopening.foreseen(spec, engine))

    try:
        return history.left(db, store if store.is_file() else None, alike, outgrown), False
    except LockedError:
        return history.left(db, None, alike), True


def _preview(
    db: Database, spec: JobSpec, left: Left, found: Requirements, *, locked: bool
) -> Preview:
    counts = results.counts(db)
    planned = results.report(db, "plan_counts")[0]
    first = plans.first_messages(db)
    failures = results.report(db, "failure_counts")
    return Preview(
        rows_in=counts.rows_in,
        rejected=counts.rejected,
        template_failures=counts.failed,
        failure_example=failures[0]["example"] if failures else None,
        requests=planned["requests"],
        duplicates=planned["duplicates"],
        reused_requests=None if locked else left.past.settled_requests,
        reused_rows=None if locked else left.past.settled_rows,
        chunks=-(-planned["requests"] // spec.run.chunk_size),
        prompt=found.prompt,
        output=found.output,
        tokens=found.tokens,
        memory=found.memory,
        device=found.device,
        time=found.time,
        cost=found.cost,
        stops=limit_warnings.find(spec, len(left.positions), found.time.seconds, found.cost),
        first_messages=[(role, text) for role, text in orjson.loads(first or "[]")],
        prefix_cache=found.prefix_cache,
    )
