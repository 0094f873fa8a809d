"""The commands that look at a job's store: export, check."""

from pathlib import Path

from llmbatch import __version__
from llmbatch.cli import console
from llmbatch.core.errors import UsageError
from llmbatch.job import file, folder, stored
from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.rows import earlier_files
from llmbatch.pipeline.rows import export as exporting
from llmbatch.pipeline.run import preflight
from llmbatch.store import faults, inspection, plans, results, run_records
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store


def find(job: Path) -> JobPaths:
    """The paths of a job named by its job file, its output or its state folder."""
    if job.suffix == ".toml":
        # Only its paths are wanted: whatever its engine is, it is neither imported nor asked.
        return folder.paths_for(file.load(job, {}, trusted=True))
    return folder.find(job)


def export(job: Path, output: Path, *, meta: bool) -> str:
    """Write what is answered to `output`; returns what was done."""
    found = find(job)
    with open_store(found.store, read_only=True) as db:
        spec = _last_spec(db, found)
        spec = spec.model_copy(update={"output": str(output), "meta": meta})
        target = preflight.make_export(spec, found.state)
        earlier_files.check(db, target, with_errors=False)
        require_plan(db, found)
        counts = results.counts(db)
        with faults.understood(found.store):
            exporting.export_answers(db, target, counts)
    return f"{counts.answered:,} answered rows of {counts.rows_in:,} written to {output}"


def require_plan(db: Database, found: JobPaths) -> None:
    """Raise UsageError when the store does not know its rows: they are read again by a run."""
    if plans.current(db) is None:
        raise UsageError(f"{found.state}: its rows are not read and planned yet; run the job first")


def _last_spec(db: Database, found: JobPaths) -> JobSpec:
    summaries = run_records.summaries(db)
    if not summaries:
        raise UsageError(f"{found.state}: no run has begun here yet")
    spec, odd = stored.spec(summaries[-1].spec)
    if odd:
        console.say(
            f"warning: {found.state}: not understood and left out: {', '.join(odd)}; the run was "
            f"one of llmbatch {summaries[-1].version}, this is {__version__}"
        )
    return spec


def check(job: Path, *, deep: bool = False) -> tuple[list[str], bool]:
    """What must hold, with its verdict, and whether all of it does; raises for what a run would
    refuse. `deep`: also whether store and journal hold the same, and nothing else."""
    found = find(job)
    with open_store(found.store, read_only=True) as db:
        verdicts = inspection.verdicts(db, found.store, deep=deep)
    lines = [
        f"{'FAIL' if wrong else 'ok  '} {name.replace('_', ' ')}{f': {wrong}' if wrong else ''}"
        for name, wrong in verdicts.items()
    ]
    return lines, not any(verdicts.values())
