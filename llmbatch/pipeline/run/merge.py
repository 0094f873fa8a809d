"""The shards of a job, made one job: its store, its output and its error file."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from llmbatch.core import clock, units
from llmbatch.core.errors import ExitCode, LlmbatchError, UnwrittenError, UsageError
from llmbatch.job import folder, stored
from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.monitoring.status import StatusFile
from llmbatch.pipeline.prompts import ready_job
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.rows import export
from llmbatch.pipeline.run import changes, flagging, preflight, shards
from llmbatch.pipeline.run.counters import Timings
from llmbatch.pipeline.run.exit_of import exit_of
from llmbatch.pipeline.run.stop_request import StopRequest
from llmbatch.store import failures, inspection, merging, plans, results, run_records, runs, shares
from llmbatch.store.database import Database
from llmbatch.store.lock import JobLock
from llmbatch.store.merging import RunName, Source
from llmbatch.store.opening import open_store
from llmbatch.store.results import Counts

REASON = "merged"
"""The beginning of the reason for which a run ends that merged shards."""
# Where a new store is made, in the state folder.
_DRAFT = "merging"
# Tables that may differ: what follows from them is in no answer and no output.
_FREE = ("input", "output", "state", "engine", "cost", "run", "model", "reports")


class UnfinishedError(LlmbatchError):
    """Shards are missing, or have rows that are not worked on yet."""

    exit_code = ExitCode.STOPPED


@dataclass(frozen=True, slots=True)
class FoundShard:
    """A shard: its store, the settings and version of its last run, and the states of its rows."""

    paths: JobPaths
    source: Source
    spec: JobSpec
    version: str
    counts: Counts

    def __str__(self) -> str:
        return str(self.paths.state)


@dataclass(frozen=True, slots=True)
class Merged:
    """The end of a merging. `is_new`: False where all had been merged before."""

    spec: JobSpec
    paths: JobPaths
    counts: Counts
    exit_code: ExitCode
    reason: str
    is_new: bool


def look(states: Sequence[JobPaths], *, partial: bool) -> list[FoundShard]:
    """The shards in these folders, by their numbers. Raises UsageError for one that does not belong
    to the others, UnfinishedError for those that are not done, unless `partial`."""
    found = sorted(map(_look_into, states), key=lambda each: each.source.share.shard)
    for one, other in pairwise(found):
        _require_fit(one, other)
    for each in found:
        _require_alike(found[0], each)
    if not partial:
        _require_done(found)
    return found


def _look_into(paths: JobPaths) -> FoundShard:
    with open_store(paths.store, read_only=True) as db:
        summaries, share = run_records.summaries(db), shares.held(db)
        if share is None or not summaries:
            what = "has not begun" if not summaries else "is no shard"
            raise UsageError(f"{paths.state}: {what}; llmbatch merge takes runs with --shard")
        if plans.current(db) is None:
            raise UsageError(f"{paths.state}: its rows are not planned yet; run the shard first")
        inspection.require_sound(db, paths.store)
        spec = stored.read_spec(summaries[-1].spec)[0]
        source = merging.source(db, share)
        return FoundShard(paths, source, spec, summaries[-1].version, results.counts(db))


def _require_fit(one: FoundShard, other: FoundShard) -> None:
    mine, its = one.source.share, other.source.share
    if mine.shards != its.shards:
        raise UsageError(
            f"{other}: is one of {its.shards} shards, and {one} one of {mine.shards}: name those "
            "of one division"
        )
    if mine.shard == its.shard:
        raise UsageError(f"{other}: is shard {its.shard}, as {one}: name each once")


def _require_alike(first: FoundShard, other: FoundShard) -> None:
    """Raise UsageError for a shard of another job than the first one, or of another reading."""
    mine, its = first.source.share, other.source.share
    if first.version != other.version:
        raise UsageError(
            f"{other}: was run by llmbatch {other.version}, and {first} by {first.version}: run "
            "both once with the same version"
        )
    if (mine.asked, mine.rows, mine.rejects) != (its.asked, its.rows, its.rejects):
        raise UsageError(
            f"{other}: asks otherwise than {first}, or of another input: run both with the same "
            "job and input"
        )
    one, two = _settings(first.spec), _settings(other.spec)
    if differing := sorted(name for name in one if one[name] != two[name]):
        raise UsageError(
            f"{other}: differs from {first} in {', '.join(differing)}: run both with the same job"
        )


def _settings(spec: JobSpec) -> Mapping[str, Any]:
    """All on which answers and output depend."""
    table = spec.model_dump(mode="json", by_alias=True)
    kept = {name: value for name, value in table.items() if name not in _FREE}
    return kept | {"on_truncated": spec.run.on_truncated}


def _require_done(found: Sequence[FoundShard]) -> None:
    there, of = {each.source.share.shard for each in found}, found[0].source.share.shards
    faults = []
    if missing := [number for number in range(1, of + 1) if number not in there]:
        faults.append(f"{_named(missing, of)} missing")
    if pending := [each for each in found if each.counts.pending]:
        left = units.count(sum(each.counts.pending for each in pending), "row")
        faults.append(
            f"{_named([e.source.share.shard for e in pending], of)} not done ({left} left)"
        )
    if faults:
        raise UnfinishedError(
            f"{'; '.join(faults)}: run with --shard what is missing, or merge what is there with "
            "--partial"
        )


def _named(numbers: Sequence[int], of: int) -> str:
    shown = ", ".join(map(str, numbers[:20])) + ", ..." * (len(numbers) > 20)
    return f"shard {shown} of {of} is" if len(numbers) == 1 else f"shards {shown} of {of} are"


def merge(
    found: Sequence[FoundShard], output: str, state: str | None, *, overwrite: bool
) -> Merged:
    """Make the shards one job, whose output is `output`, and write that. What was merged before is
    not merged again. Raises UsageError where the job in its state folder is not made of them."""
    spec = _whole(found[0].spec, output, state, overwrite=overwrite)
    job = ready_job.make(spec)
    preflight.make_export(spec, job.paths.state)
    began = clock.moment()
    folder.make_private(job.paths.state)
    with JobLock(job.paths.lock):
        is_new = _is_new(job.paths, [name for each in found for name in each.source.numbers])
        if is_new:
            _make_store(job, found)
        with open_store(job.paths.store) as db:
            return _finish(db, job, found, began, is_new=is_new)


def _whole(spec: JobSpec, output: str, state: str | None, *, overwrite: bool) -> JobSpec:
    """The settings of the whole job. What its runs cost is with each of them; this one
    has no device to pay."""
    run = spec.run.model_copy(update={"shard": None, "reports": (), "metrics_file": None})
    cost = spec.cost
    if cost.price_per_hour is not None:
        cost = cost.model_copy(update={"price_per_hour": 0.0})
    named = {"output": output, "state": state, "run": run, "cost": cost}
    return spec.model_copy(update=named | {"overwrite": overwrite or spec.overwrite})


def _is_new(paths: JobPaths, names: Sequence[RunName]) -> bool:
    """True if the store of the merged job has to be made, or made anew."""
    if not paths.store.exists():
        return True
    with open_store(paths.store, read_only=True) as db:
        kept = run_records.summaries(db)
        named = zip(kept, merging.run_names(db), strict=True)
        taken = {name for run, name in named if shards.of_settings(run.spec)}
        own = [run for run in kept if not shards.of_settings(run.spec)]
        worked = run_records.tokens(db).keys() & {run.run for run in own}
    if taken >= set(names) and any((run.reason or "").startswith(REASON) for run in own):
        return False
    if taken <= set(names) and not worked:
        return True
    raise UsageError(
        f"{paths.state}: holds answers that none of these shards has: give the merged job another "
        "name with -o"
    )


def _make_store(job: ReadyJob, found: Sequence[FoundShard]) -> None:
    """Make the store aside, and give it its place when it is whole."""
    aside = job.paths.state / _DRAFT
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    draft = aside / job.paths.store.name
    try:
        with open_store(draft) as db:
            merging.merge(db, [each.source for each in found])
            export.check(db, job.output)
            db.compact()
        merging.publish(draft, job.paths.store)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _finish(
    db: Database, job: ReadyJob, found: Sequence[FoundShard], began: clock.Moment, *, is_new: bool
) -> Merged:
    """Write the output and the error file, and record the merging as a run."""
    counts, plan = results.counts(db), plans.current(db)
    assert plan is not None, "a merged job is planned"
    results.verify(db)
    flagging.find(db, job)
    export.export(db, job.output, counts)
    settings = job.spec.model_dump(mode="json", by_alias=True)
    run = runs.begin(db, plan.plan, began, settings) if is_new else _newest(db)
    code, reason = _end_of(db, job, run, counts, found)
    if is_new:
        ended = runs.end(db, run, reason, code, asdict(Timings()))
        status = StatusFile(job.paths, started=began)
        status.counts(counts)
        status.end(ended, reason, code)
        if not counts.pending:
            failures.keep_known(db, run)
            changes.look(db, job).keep(db, run)
    with suppress(UnwrittenError):
        db.compact()
    return Merged(job.spec, job.paths, counts, code, reason, is_new)


def _newest(db: Database) -> int:
    return run_records.summaries(db)[-1].run


def _end_of(
    db: Database, job: ReadyJob, run: int, counts: Counts, found: Sequence[FoundShard]
) -> tuple[ExitCode, str]:
    rules, stop = job.spec.run, StopRequest(job.spec.run.grace)
    code, reason = exit_of(counts, failures.count_new(db, run), stop, rules)
    left, of = [], found[0].source.share.shards
    if counts.pending:
        left.append(f"{units.count(counts.pending, 'row')} left")
    if merging.is_part(db):
        left.append(f"{units.count(of - len(found), 'shard')} missing")
    if left:
        code, reason = ExitCode.STOPPED, ", ".join(left)
    return code, f"{REASON} {units.count(len(found), 'shard')}: {reason}"
