"""The reasons why rows have no answer, as outputs and error files have them."""

from collections.abc import Mapping
from typing import Any

import orjson

from llmbatch.core.exact_json import Json
from llmbatch.core.records import Reject
from llmbatch.pipeline.rows.output_file import ANSWERED

_REJECTED = "rejected"


def error_of(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The reason as a JSON object; None for a row that is answered or pending."""
    state = row.get("state", ANSWERED)
    if state in (ANSWERED, "pending"):
        return None
    error = {"kind": row["kind"], "message": row["message"], "attempts": row["attempt"] or 0}
    if state == _REJECTED:
        return error | {"line": row["line"]}
    return error | {"answer": row["answer"]}


def as_json(row: Mapping[str, Any]) -> Json | None:
    """The reason for a JSON Lines output."""
    error = error_of(row)
    return None if error is None else Json(orjson.dumps(error).decode())


def as_text(row: Mapping[str, Any]) -> str | None:
    """The reason for a table: `kind: message`, with the line of a rejected one."""
    error = error_of(row)
    if error is None:
        return None
    line = f" (line {error['line']:,})" if "line" in error else ""
    return f"{error['kind']}: {error['message'] or ''}{line}"


def rejected_row(reject: Reject) -> dict[str, Any]:
    """An input line that never became a row, in the shape of the rows of the store."""
    return {
        "state": _REJECTED,
        "data": "{}",
        "answer": None,
        "kind": _REJECTED,
        "message": reject.reason,
        "attempt": 0,
        "file": reject.file,
        "line": reject.line,
        "raw": reject.raw,
    }
