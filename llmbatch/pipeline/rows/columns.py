"""The columns of an answer in an output, and its values there.

JSON Lines keep a structured answer as it was written. A table spreads its top-level properties into
columns of simple types, and a schema allows more than such columns hold: an integer beyond 64
bits, a property that it does not name, an answer that is no object. The types follow the schema as
long as the answers let them. For one that does not fit (`formats.Misfit`) the layout is widened and
the output begun anew: the column becomes text, or a further column takes the whole answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmbatch.core import exact_json
from llmbatch.core.errors import UsageError, nearest
from llmbatch.formats import Misfit
from llmbatch.pipeline.rows.output_file import OutputFile
from llmbatch.store.snapshots import Snapshot

USAGE = {
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
_META = {"finish_reason": "text", "attempts": "integer"} | USAGE

WHOLE = ""
"""In a Misfit: an answer whose parts have no columns."""


class Layout:
    """The columns of the answers of a job in one format; `misfits` are names of columns that hold
    text although the schema says more, and WHOLE if there is one for whole answers."""

    def __init__(
        self, output: OutputFile, columns: Sequence[str], misfits: frozenset[str] = frozenset()
    ) -> None:
        """`columns`: of the input."""
        self._given = (output, columns)
        self._misfits = misfits
        self._structured = output.answer.whole == "json"
        self._meta = _free_names(_META, columns) if output.meta else {}
        properties = {} if output.format_name == "jsonl" else output.answer.parts
        taken = [*columns, *self._meta.values()]
        self._spread = _free_names(properties, taken)
        # Beside the parts of answers, the column of whole ones must have another name.
        taken = [*taken, *self._spread.values()] if self._spread else []
        (self._response,) = _free_names([output.response_column], taken).values()
        types = {self._spread[name]: kind for name, kind in properties.items()}
        types |= {name: "text" for name in misfits if name in types}
        if not types or WHOLE in misfits:
            types[self._response] = output.answer.whole
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


def answer_columns(output: OutputFile) -> set[str]:
    """The columns of an answer beside an input without columns."""
    return set(Layout(replace(output, meta=False), []).columns)


def _plain(value: Any, kind: str) -> Any:
    """A property as a cell: what is not of the column's simple type stays JSON."""
    return (
        exact_json.Json(exact_json.dump_record(value))
        if kind == "json" and value is not None
        else value
    )


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
