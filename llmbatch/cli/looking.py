"""The commands that look at a job: status, report, export, check."""

from pathlib import Path
from typing import Any

import orjson

from llmbatch.cli.narration import line
from llmbatch.core.errors import UsageError
from llmbatch.core.spec import JobSpec
from llmbatch.pipeline import export as exporting
from llmbatch.pipeline import jobfile, paths, preflight
from llmbatch.pipeline import status as live
from llmbatch.pipeline.paths import JobPaths
from llmbatch.pipeline.progress import Progress
from llmbatch.reports import json, model, text
from llmbatch.store import lock, plans, repair, results
from llmbatch.store.database import Database


def find(job: Path) -> JobPaths:
    """The paths of a job named by its job file, its output or its state folder."""
    if job.suffix == ".toml":
        return paths.of_spec(jobfile.load(job, {}))
    return paths.find(job)


def report(job: Path, style: str) -> str:
    """The report of a job, from its store."""
    found = find(job)
    with Database.open(found.store, read_only=True) as db:
        built = model.build(db)
    if built is None:
        raise UsageError(f"{found.state}: no run has begun here yet")
    return json.render(built) if style == "json" else text.render(built)


def status(job: Path, style: str) -> str:
    """The live view of a job: from the run's own file, since its store is locked meanwhile."""
    found = find(job)
    seen = live.read(found)
    holder = lock.holder(found.lock)
    seen["state"] = _state(seen, holder)
    if seen["state"] != "running":
        seen.pop("eta_seconds", None)
    if style == "json":
        return orjson.dumps(seen, option=orjson.OPT_INDENT_2).decode() + "\n"
    return _status_text(seen)


def _state(seen: dict[str, Any], holder: str | None) -> str:
    if holder is not None:
        return "running"
    return "ended" if seen["phase"] == "ended" else "killed"


def _status_text(seen: dict[str, Any]) -> str:
    who = f"pid {seen['pid']} on {seen['host']}, since {seen['started_at']}"
    if seen["state"] == "running":
        head = f"running: {seen['phase']} ({who})"
    elif seen["state"] == "ended":
        head = f"ended: {seen['reason']}, exit code {seen['exit_code']} ({who})"
    else:
        head = f"killed while {seen['phase']} ({who}); run the same command again"
    lines = [head]
    if "progress" in seen:
        ended = seen["state"] != "running"
        lines.append(line(Progress(**seen["progress"]), ended=ended))
    return "\n".join([*lines, f"as of {seen['updated_at']}"]) + "\n"


def export(job: Path, output: Path, *, meta: bool) -> str:
    """Write what is answered to `output`; returns what was done."""
    found = find(job)
    with Database.open(found.store, read_only=True) as db:
        spec = _last_spec(db, found)
        spec = spec.model_copy(update={"output": str(output), "meta": meta})
        preflight.check_output(spec)
        require_plan(db, found)
        counts = results.counts(db)
        exporting.export_answers(db, spec, counts)
    return f"{counts.answered:,} answered rows of {counts.rows_in:,} written to {output}"


def require_plan(db: Database, found: JobPaths) -> None:
    """Raise UsageError when the store does not know its rows: they are read again by a run."""
    if plans.current(db) is None:
        raise UsageError(f"{found.state}: its rows are not read and planned yet; run the job first")


def _last_spec(db: Database, found: JobPaths) -> JobSpec:
    summaries = results.report(db, "run_summaries")
    if not summaries:
        raise UsageError(f"{found.state}: no run has begun here yet")
    return JobSpec.model_validate(orjson.loads(summaries[-1]["spec"]))


def check(job: Path) -> tuple[str, bool]:
    """Every invariant with its verdict, and whether all hold."""
    found = find(job)
    with Database.open(found.store, read_only=True) as db:
        violations = results.violations(db)
        violations["the_journal_is_whole"] = repair.journal_gaps(db, found.store)
    lines = [
        f"{'ok  ' if count == 0 else 'FAIL'} {name.replace('_', ' ')}"
        + (f": {count:,} violations" if count else "")
        for name, count in violations.items()
    ]
    return "\n".join(lines) + "\n", not any(violations.values())
