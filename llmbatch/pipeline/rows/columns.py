"""Which columns an answer has in an output, and its values there.

JSON Lines keep a structured answer as it was written. A table spreads its top-level properties into
columns of simple types, and a schema allows more than such columns hold: an integer beyond 64
bits, a property that it does not name, an answer that is no object. The types follow the schema as
long as the answers let them. For one that does not fit (`formats.Misfit`) the layout is widened and
the output begun anew: the column becomes text, or a further column takes the whole answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from llmbatch.core import exact_json
from llmbatch.core.errors import UsageError, nearest
from llmbatch.formats import Misfit
from llmbatch.job.spec import JobSpec
from llmbatch.store.snapshots import Snapshot

USED = {
    "prompt_tokens": "integer",
    "cached_tokens": "integer",
    "output_tokens": "integer",
    # Of the attempts at the request that had failed before this one.
    "wasted_prompt_tokens": "integer",
    "wasted_cached_tokens": "integer",
    "wasted_output_tokens": "integer",
    # Rows of one request share what it used.
    "request": "text",
    "run": "integer",
}
_META = {"finish_reason": "text", "attempts": "integer"} | USED
_COLUMN_TYPES = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}

WHOLE = ""
"""In a Misfit: an answer whose parts have no columns."""


class Layout:
    """The columns of the answers of a job in one format; `misfits` are names of columns that hold
    text although the schema says more, and WHOLE if there is one for whole answers."""

    def __init__(
        self,
        spec: JobSpec,
        columns: Sequence[str],
        format_name: str,
        misfits: frozenset[str] = frozenset(),
    ) -> None:
        self._given = (spec, columns, format_name)
        self._misfits = misfits
        self._structured = spec.answer.json_schema is not None
        self._meta = _free_names(_META, columns) if spec.meta else {}
        properties = {} if format_name == "jsonl" else _properties(spec.answer.json_schema)
        taken = [*columns, *self._meta.values()]
        self._spread = _free_names(properties, taken)
        # Beside the parts of answers, the column of whole ones must have another name.
        taken = [*taken, *self._spread.values()] if self._spread else []
        (self._response,) = _free_names([spec.response_column], taken).values()
        types = {self._spread[name]: kind for name, kind in properties.items()}
        types |= {name: "text" for name in misfits if name in types}
        if not types or WHOLE in misfits:
            types[self._response] = "json" if self._structured else "text"
        self.columns: dict[str, str] = types | {
            self._meta[name]: _META[name] for name in self._meta
        }

    def widened(self, misfit: Misfit) -> "Layout":
        """One whose columns hold what did not fit into these."""
        return Layout(*self._given, self._misfits | {misfit.column})

    def answer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a row's answer by column. Raises Misfit for one that has no columns."""
        meta = {
            column: row["attempt" if name == "attempts" else name]
            for name, column in self._meta.items()
        }
        return self._response_of(row["answer"]) | meta

    def _response_of(self, text: str) -> dict[str, Any]:
        if not self._structured:
            return {self._response: text}
        if not self._spread:
            return {self._response: exact_json.Json(text)}
        parts = self._parts(text)
        if parts is not None:
            return parts
        if WHOLE not in self._misfits:
            raise Misfit(WHOLE, text)
        return {self._response: exact_json.Json(text)}

    def _parts(self, text: str) -> dict[str, Any] | None:
        """The properties of an answer by column, none for a null; None if that is not all of it."""
        if text.strip() == "null":
            return {}
        try:
            document = exact_json.parse_record(text)
            if not document.keys() <= self._spread.keys():
                return None
            return {
                self._spread[name]: _plain(value, self.columns[self._spread[name]])
                for name, value in document.items()
            }
        except (
            ValueError,
            TypeError,
            RecursionError,
        ):  # no object, or nested too deep to be cut up
            return None


def answer_columns(spec: JobSpec, format_name: str) -> set[str]:
    """The columns of an answer, whatever columns the input has."""
    return set(Layout(spec.model_copy(update={"meta": False}), [], format_name).columns)


def _plain(value: Any, kind: str) -> Any:
    """A property as a cell: what is not of the column's simple type stays JSON."""
    return (
        exact_json.Json(exact_json.dump_record(value))
        if kind == "json" and value is not None
        else value
    )


def _properties(schema: Mapping[str, Any] | None) -> dict[str, str]:
    """The column types of a schema's top-level properties; empty if it is not an object's."""
    declared = (schema or {}).get("properties", {})
    return {name: _column_type(part) for name, part in declared.items()}


def _column_type(part: Any) -> str:
    declared = part.get("type") if isinstance(part, dict) else None
    if declared is None and isinstance(part, dict) and "enum" in part:
        return "text" if all(isinstance(item, str) for item in part["enum"]) else "json"
    names = [declared] if isinstance(declared, str) else list(declared or [])
    kinds = [name for name in names if name != "null"]
    # In old drafts of JSON Schema a type may be a schema.
    simple = len(kinds) == 1 and isinstance(kinds[0], str)
    return _COLUMN_TYPES.get(kinds[0], "json") if simple else "json"


def _free_names(wanted: Sequence[str] | Mapping[str, str], taken: Sequence[str]) -> dict[str, str]:
    """A column for every wanted name; one that is taken, or blank, gets the prefix `response_`."""
    free: dict[str, str] = {}
    used = set(taken)
    for name in wanted:
        column = name
        while column in used or not column.strip():
            column = f"response_{column}"
        free[name] = column
        used.add(column)
    return free


def check_attribution(by: Sequence[str], snapshot: Snapshot) -> None:
    """Raise UsageError if the cost is to be divided by a column that the input does not have."""
    known = snapshot.source.columns
    for name in by if snapshot.row_count else ():
        if name not in known:
            raise UsageError(
                f"attribute_by: no column {name!r} in {snapshot.source.input}"
                f"{nearest(name, known)}; columns: {', '.join(known[:20]) or 'none'}"
            )
