"""The column `flags` of an output: the names of a row's flags, as a list or, in tables, as text."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmbatch.core import exact_json
from llmbatch.pipeline.rows.output_file import OutputFile
from llmbatch.store.flags import Flag

FLAGS = "flags"
# In a condition over the output's columns.
_NAMED = re.compile(rf"\b{FLAGS}\b", re.IGNORECASE)


def is_wanted(output: OutputFile) -> bool:
    """True if the output has the column without `--meta`, since its rows are chosen by it."""
    return output.flagged or _NAMED.search(output.where or "") is not None


def kind(output: OutputFile) -> str:
    """The type of the column."""
    return "text" if output.is_table else "json"


def value(row: Mapping[str, Any], kind: str) -> Any:
    """The names of a row's flags, each once."""
    found: Sequence[Flag] = row.get(FLAGS, ())
    names = list(dict.fromkeys(flag.name for flag in found))
    return ", ".join(names) if kind == "text" else exact_json.Json(exact_json.dump_record(names))
