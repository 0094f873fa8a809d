"""The files that a job's report is written to."""

from pathlib import Path

from llmbatch.core import files
from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec
from llmbatch.job.targets import Target
from llmbatch.reports import renderers

STDOUT = Path("-")


def target(path: Path, *, overwrite: bool = False) -> Target:
    """A report, to be looked at before it is written. `overwrite`: it may replace any file."""
    return Target("report", path, lambda path: overwrite or renderers.is_report(path))


def targets(spec: JobSpec) -> list[Target]:
    """The reports that a run of the job writes. Raises UsageError for a name without a form."""
    return [_of_run(Path(name), overwrite=spec.overwrite) for name in spec.run.reports]


def _of_run(path: Path, *, overwrite: bool) -> Target:
    if path == STDOUT:
        raise UsageError("--report: name a file; the report is shown on stderr anyway")
    renderers.style_of(path)
    return target(path, overwrite=overwrite)


def write(path: Path, text: str) -> None:
    """Put a report under its name, whole or not at all. Raises OSError."""
    with files.atomic(files.behind_link(path)) as stream:
        stream.write(text.encode())
