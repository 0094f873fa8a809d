"""Errors of a user's query, in one line with the place in it."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson

_JSON = re.compile(r"\{.*\}", re.DOTALL)
_KIND = re.compile(r"^[A-Z][\w ]* Error: ")


class QueryError(Exception):
    """The query cannot be used, or has failed."""


def of_duckdb(error: Exception, text: str, offset: int | None) -> QueryError:
    """The error of DuckDB for a query of this text (with its setting `errors_as_json`). `offset`:
    bytes from the places that it names to those in the text; None: they are none of the text."""
    found = _JSON.search(str(error))
    table: Any = None
    if found:
        with suppress(orjson.JSONDecodeError):
            table = orjson.loads(found[0])
    if not isinstance(table, dict) or "exception_message" not in table:
        return QueryError(_first_line(str(error)))
    return QueryError(described(table, "exception_message", text, offset))


def described(table: Mapping[str, Any], key: str, text: str, offset: int | None) -> str:
    """A message of DuckDB in one line, with the line and column of the text to which it points."""
    message = str(table.get(key, "cannot be read"))
    line = _first_line(message)
    if "requires the extension" in line or "INSTALL" in message:
        what = line.partition(" requires")[0]
        return f"{what}: a query reads local files only, and loads no extension"
    position, content = str(table.get("position", "")), text.encode()
    if offset is None or not position.isdecimal():
        return line
    place = int(position) + offset
    if not 0 <= place <= len(content):
        return line
    before = content[:place].decode(errors="replace")
    row, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return f"{line} (line {row}, column {column} of the query)"


def _of_csv(first: str, rest: str) -> str:
    """The fault of a CSV file, and its name, which DuckDB says in the lines below the first."""
    lines = [line.strip() for line in rest.splitlines()]
    reasons = [
        line for line in lines if line.endswith(".") and not line.startswith("Original Line:")
    ]
    files = [line.removeprefix("file = ") for line in lines if line.startswith("file = ")]
    encoding = " (read it with read_csv('FILE', encoding = 'latin-1'), or save it as UTF-8)"
    hint = encoding if "utf-8" in rest else ""
    return f"{': '.join([*files, first])}: {' '.join(reasons[:2])}{hint}"


def _first_line(message: str) -> str:
    """The message without the part of the query that DuckDB shows below it, and most hints."""
    first, _, rest = message.strip().partition("\n")
    if "CSV Error on Line" in first:
        first = _of_csv(first, rest)
    hint = next((line.strip() for line in rest.splitlines() if line.startswith("Candidate")), "")
    return f"{_KIND.sub('', first.strip())} {hint}".strip()
