"""The rows that changed, as a table: their input, the former answer and the new one."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from llmbatch import formats
from llmbatch.core.errors import UsageError
from llmbatch.formats.base import WriteOptions
from llmbatch.job import targets
from llmbatch.job.targets import Target
from llmbatch.quality import table_file
from llmbatch.store.pairs import ChangedPair

_COLUMNS = ("row", "before", "after", "state_before", "state_after", "same_input")


def check(path: Path, *, overwrite: bool) -> None:
    """Raise UsageError for a file that cannot or must not be written."""
    format_name = _format(path)
    if format_name in ("duckdb", "npy"):
        raise UsageError(f"--changed {path}: write .csv, .tsv, .jsonl, .parquet or .xlsx")
    targets.check([Target("changed", path, lambda path: overwrite or _is_ours(path))], {}, {})


def _format(path: Path) -> str:
    return formats.detect(str(path), None, writing=True)


def _is_ours(path: Path) -> bool:
    """True for a file of such rows: it has their columns."""
    format_name = _format(path)
    return {"before", "after", "state_before"} <= set(
        formats.written_columns(str(path), format_name)
    )


def write(path: Path, columns: Sequence[str], pairs: Iterable[ChangedPair]) -> int:
    """Write the pairs with these columns of the input; returns how many. Raises UsageError for a
    file that cannot be written."""
    names = {name: table_file.free_name(name, "compare", columns) for name in _COLUMNS}
    kinds = {
        column: "boolean" if name == "same_input" else "text" for name, column in names.items()
    }
    options = WriteOptions((names["row"], *columns, *list(names.values())[1:]))
    format_name = _format(path)
    records = (
        (pair.data, {names[name]: value for name, value in _values(pair).items()}) for pair in pairs
    )
    try:
        return table_file.write(path, format_name, columns, kinds, records, options)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def _values(pair: ChangedPair) -> dict[str, Any]:
    return {
        "row": pair.name,
        "before": pair.a_answer,
        "after": pair.b_answer,
        "state_before": pair.a_state,
        "state_after": pair.b_state,
        "same_input": pair.same_input,
    }
