"""What can be found wrong before anything is created or loaded."""

import os
from pathlib import Path

from llmbatch import formats
from llmbatch.core.errors import UsageError
from llmbatch.core.spec import JobSpec
from llmbatch.pipeline import checks, ingest, paths
from llmbatch.pipeline.prompts import Prompt


def check(spec: JobSpec) -> None:
    """Raise UsageError for the first thing that would stop the job later."""
    Prompt(spec.prompt, spec.system)
    checks.of(spec.answer.to_constraint())
    ingest.format_of(spec)
    _check_input(spec)
    check_output(spec)


def _check_input(spec: JobSpec) -> None:
    if spec.input == ingest.STDIN:
        return
    path = Path(spec.input)
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; give a CSV or JSONL file, or - for stdin")
    if not path.exists():
        raise UsageError(f"{path}: no such file; give a CSV or JSONL file, or - for stdin")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path}: cannot be read; check its permissions")


def check_output(spec: JobSpec) -> None:
    """Raise UsageError if the output's name or place cannot be used."""
    output = Path(spec.output)
    formats.detect(spec.output, None, writing=True)
    if output.is_dir():
        raise UsageError(f"{output}: is a folder; give a file name")
    if not output.parent.is_dir():
        raise UsageError(f"{output}: there is no folder {output.parent}; create it first")
    if not os.access(output.parent, os.W_OK | os.X_OK):
        raise UsageError(f"{output}: the folder {output.parent} cannot be written")
    if spec.input == ingest.STDIN or not Path(spec.input).exists():
        return
    for written in (output, paths.errors_of_output(output)):
        if written.exists() and written.samefile(spec.input):
            raise UsageError(f"{written}: is the input; give the output another name than {output}")
