"""An output that holds the answers to all rows is not replaced by that of some of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmbatch.core.errors import ExitCode, UsageError
from llmbatch.core.stored import json_table
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.rows.output_file import OutputFile
from llmbatch.store import run_records
from llmbatch.store.database import Database

End = tuple[int | None, Mapping[str, Any]]
_FINISHED = (ExitCode.OK, ExitCode.INCOMPLETE)


def check(db: Database, spec: JobSpec, output: OutputFile, state: Path) -> None:
    """Raise UsageError for a run of some of the rows whose output is that of a run of all."""
    if spec.input.is_part:
        runs = [run for run in run_records.summaries(db) if not run.is_sample]
        ends = [(run.exit_code, json_table(run.spec)) for run in runs]
        check_against(ends, spec, output, state)


def check_against(ends: Sequence[End], spec: JobSpec, output: OutputFile, state: Path) -> None:
    """The same by the exit codes and specs of the job's runs but for samples, the oldest first."""
    if not spec.input.is_part or spec.overwrite or output.is_stdout or not output.path.exists():
        return
    for exit_code, kept in reversed(ends):
        if exit_code not in _FINISHED or Path(str(kept.get("output"))).name != output.path.name:
            continue
        if not _is_part(kept.get("input")):
            raise UsageError(
                f"{output.path}: holds the answers to all rows, and {spec.input.part} would leave "
                f"those to some of them: write these to another file (-o FILE --state {state}), or "
                "say --overwrite"
            )
        return


def _is_part(given: object) -> bool:
    """True if an input, as a run has kept it, was to be read in part."""
    if not isinstance(given, dict):
        return False
    return any(given.get(name) for name in ("where", "limit", "offset"))
