"""The table [batch], and what a job is by default whose input is a batch file of OpenAI's shape."""

import glob
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any

import orjson

from llmbatch import formats
from llmbatch.batch_files import lines
from llmbatch.core.errors import UsageError
from llmbatch.formats.lines import MAX_RECORD_BYTES
from llmbatch.job.fields import Section, neutral

Table = Mapping[str, Any]

_SUFFIXES = (".jsonl", ".ndjson")
# Of keys that a user has not given: a line names itself, and an answer that was cut is one.
_DEFAULTS: Table = {"id_column": lines.CUSTOM_ID, "prompt": None}
_RUN: Table = {"on_truncated": "keep", "repetition": "off"}
# Keys by which a job says what it asks of a row.
_MESSAGES = ("prompt", "messages")
_BLANKS = 1000
"""So many blank lines may stand above the first one."""


class BatchSpec(Section):
    """The answering of a batch file."""

    any_model: bool = neutral(
        False, "Answer also the lines of an OpenAI batch file that name another model."
    )


def is_batch(table: Table) -> bool:
    """True if the input of a job, as a table, is a batch file."""
    given = table.get("input")
    return isinstance(given, Mapping) and given.get("format") == lines.FORMAT


def with_defaults(table: Table) -> Table:
    """The table of a job with what it lacks, if its input is a batch file."""
    if not is_batch(table):
        return table
    run = table.get("run", {})
    made = {**_DEFAULTS, **table}
    if isinstance(run, Mapping):
        made["run"] = {**_RUN, **run}
    if table.get("output_format") is None and _is_lines(table.get("output")):
        made["output_format"] = lines.FORMAT
    return made


def _is_lines(output: Any) -> bool:
    return output == "-" or (isinstance(output, str) and PurePath(output).suffix in _SUFFIXES)


def recognised(table: Table) -> Table:
    """The table of a job without a prompt, with the format and the task that the first line of its
    input says, if that is a line of a batch file."""
    given = table.get("input")
    if any(table.get(key) is not None for key in _MESSAGES) or not isinstance(given, Mapping):
        return table
    if given.get("format") not in (None, lines.FORMAT) or not given.get("files"):
        return table
    record = _first_record(str(given["files"][0]))
    if record is None or not lines.is_line(record):
        return table
    task = lines.TASKS.get(lines.endpoint_of(record[lines.URL]), "generate")
    return {"task": task, **table, "input": {**given, "format": lines.FORMAT}}


def _first_record(name: str) -> Mapping[str, Any] | None:
    """The first line of JSON of the first file that a name stands for; None where there is none
    that can be looked at twice."""
    found = [name] if Path(name).exists() else sorted(glob.glob(name, recursive=True))  # noqa: PTH207
    with suppress(OSError, UsageError, orjson.JSONDecodeError, EOFError):
        if found and Path(found[0]).is_file():
            with formats.open_input(found[0]) as stream:
                for _ in range(_BLANKS):
                    if line := stream.readline(MAX_RECORD_BYTES).strip():
                        record = orjson.loads(line)
                        return record if isinstance(record, dict) else None
    return None
