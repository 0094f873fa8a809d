"""The columns of an answer in an output, and its values there.

JSON Lines keep a structured answer as it was written. A table spreads its top-level properties into
columns of simple types, as the schema has them (`constraints/column_types`). Properties of several
types are columns of JSON, in which a string stands as it is, without quotes, unless it looks like
JSON itself: what reads as JSON is JSON, and the rest is text. Properties without a name in the
schema go into one object, in a column that is there if the schema says that there may be some.

A schema allows more than such columns hold: an integer beyond 64 bits, a property that it does not
speak of, an answer that is no object. For one that does not fit (`formats.Misfit`) the layout is
widened and the output begun anew: the column becomes JSON, or there is a further one.
"""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import replace
from typing import Any

from llmbatch.core import exact_json, vectors
from llmbatch.core.errors import UsageError, nearest
from llmbatch.formats import Misfit
from llmbatch.pipeline.rows import flag_column, row_errors, stage_columns, vector_columns
from llmbatch.pipeline.rows.flag_column import FLAGS
from llmbatch.pipeline.rows.made_by_column import MADE_BY
from llmbatch.pipeline.rows.output_file import ANSWERED, OutputFile
from llmbatch.pipeline.rows.sampled_rows import AGREEMENT, VOTES
from llmbatch.store.plans import SKIPPED
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
REASONING = "reasoning"
"""The column of what a model thought before its answer."""
_META = {"finish_reason": "text", "attempts": "integer"} | USAGE | {MADE_BY: "text", FLAGS: "json"}
RANK = "rank"
"""The column of a row's place in its group, from 1."""
ERROR, RAW = "error", "raw"
"""The columns of why a row has no answer, and of an input line that never became a row."""

RESPONSE = "response"
"""The field of an answer that stands in the job's column of the answer."""

# Names in a Misfit of what has no column yet; no column has a blank name.
WHOLE = ""
"""All of an answer."""
REST = " "
"""The properties of an answer that the schema does not name."""


# JSON, or what some reader may take for it: of brackets and quotes only the ends are looked at.
_LIKE_JSON = re.compile(
    r"""\{.*\}|\[.*\]|".*"|true|false|null|[+-]?(nan|inf|infinity)"""
    r"""|[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?""",
    re.DOTALL | re.IGNORECASE,
)


class Layout:
    """The columns of the answers of a job in one format; `misfits` are names of columns that hold
    JSON although the schema says more of their values, and of columns that it does not ask for."""

    def __init__(
        self, output: OutputFile, columns: Sequence[str], misfits: frozenset[str] = frozenset()
    ) -> None:
        """`columns`: of the input."""
        self._given = (output, columns)
        self._misfits = misfits
        answer = output.answer
        self._is_json = answer.is_json
        self._is_table = output.is_table
        beside = _beside(output, columns)
        self._meta = _free_names(beside, columns)
        parts = answer.parts if self._is_table else {}
        taken = [*columns, *self._meta.values()]
        # The fields of an answer, in the columns that they have in every format.
        self._fields = _free_names([name for name in answer.fields if name != RESPONSE], taken)
        self._spread = _free_names(parts, taken)
        # Beside the parts of answers, the column of whole ones must have another name.
        taken = [*taken, *self._spread.values()] if self._spread else []
        self._response, self.rest = _free_names(
            [output.response_column, f"{output.response_column}_rest"], taken
        ).values()
        types = {column: parts[name] for name, column in self._spread.items()}
        types |= {name: "json" for name in misfits if name in types}
        if types and (answer.has_rest or REST in misfits):
            types[self.rest] = "json"
        if not types or WHOLE in misfits:
            types[self._response] = "json" if WHOLE in misfits else answer.whole
        if answer.fields:
            types = _fields(answer.fields, self._fields | {RESPONSE: self._response})
        self._vectors = {name: kind for name, kind in types.items() if vectors.KIND.match(kind)}
        types = {name: vector_columns.written_kind(kind, output) for name, kind in types.items()}
        types = types if output.has_answers else {}
        self.beside = frozenset(self._meta)
        self.columns: dict[str, str] = types | {
            column: beside[name] for name, column in self._meta.items()
        }
        self.order = _order(output, [*columns, *self.columns], self._misfits, self._response)

    def widened(self, misfit: Misfit) -> "Layout":
        """One whose columns hold what did not fit into these."""
        name = WHOLE if misfit.column == self._response else misfit.column
        return Layout(*self._given, self._misfits | {name})

    def answer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a row's answer by column. Raises Misfit for one that has no column."""
        meta = {column: self._beside(name, row) for name, column in self._meta.items()}
        # A row that was not asked has no answer, and that of a failed one was not accepted.
        if row["answer"] is None or row.get("state", ANSWERED) != ANSWERED:
            return meta
        return self._response_of(row["answer"]) | meta

    def _beside(self, name: str, row: Mapping[str, Any]) -> Any:
        """A value that stands beside the answer."""
        if name == ERROR:
            return (row_errors.as_text if self._is_table else row_errors.as_json)(row)
        if name == FLAGS:
            return flag_column.value(row, self.columns[self._meta[FLAGS]])
        if name in stage_columns.NAMES and self._given[0].stages:
            return stage_columns.value(name, row, self._given[0])
        return row.get("attempt" if name == "attempts" else name)

    def _response_of(self, text: str) -> dict[str, Any]:
        if self._given[0].answer.fields:
            names = self._fields | {RESPONSE: self._response}
            document = exact_json.parse_record(text)
            return {names[name]: self._cell(names[name], each) for name, each in document.items()}
        if not self._is_json:
            is_text = self._response not in self._vectors
            return {self._response: text if is_text else self._cell(self._response, text)}
        if not self._is_table:
            return {self._response: exact_json.Json(text)}
        if not self._spread:
            return {self._response: self._whole(text)}
        parts = self._parts(text)
        if parts is not None:
            return parts
        if WHOLE not in self._misfits:
            raise Misfit(WHOLE, text)
        return {self._response: self._whole(text)}

    def _cell(self, column: str, value: Any) -> Any:
        kind = self.columns[column]
        if column in self._vectors and value is not None:
            return vector_columns.value(value, self._vectors[column], kind)
        return _as_cell(column, value, kind)

    def _whole(self, text: str) -> Any:
        """All of an answer as a cell; of an array or object its own text."""
        value: Any = exact_json.Json(text)
        if text.lstrip()[:1] not in ("[", "{"):
            with suppress(ValueError):  # an integer of thousands of digits
                value = exact_json.parse_record(f'{{"":{text}}}')[""]
        return _as_cell(self._response, value, self.columns[self._response])

    def _parts(self, text: str) -> dict[str, Any] | None:
        """The properties of an answer by column, none for a null; None if it cannot be cut up:
        it is no object, or nested too deep. Raises Misfit for one without a column."""
        if text.strip() == "null":
            return {}
        try:
            document = exact_json.parse_record(text)
            cells = {
                column: _as_cell(column, document.pop(name), self.columns[column])
                for name, column in self._spread.items()
                if name in document
            }
            if document and self.rest not in self.columns:
                raise Misfit(REST, text)
            if document:
                cells[self.rest] = exact_json.Json(exact_json.dump_record(document))
        except (ValueError, TypeError, RecursionError):
            return None
        return cells


def _fields(kinds: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """The types of the columns of an answer's fields, in the order of the fields."""
    return {names[name]: kind for name, kind in kinds.items()}


def _beside(output: OutputFile, columns: Sequence[str]) -> dict[str, str]:
    """The columns that stand beside the answer, and their types: those of `--meta` also where they
    are chosen by name."""
    meta = _META | ({"reasoning_tokens": "integer"} if output.answer.reasons else {})
    chosen = set(output.columns) - set(columns)
    meta |= {FLAGS: flag_column.kind(output)} | stage_columns.kinds(output)
    if flag_column.is_wanted(output):
        chosen.add(FLAGS)
    samples = output.samples
    if samples is not None and samples.vote:
        meta = {VOTES: "json"} | meta
    beside = {name: kind for name, kind in meta.items() if output.meta or name in chosen}
    if samples is not None and samples.vote:
        beside = {AGREEMENT: "number"} | beside
    if output.best is not None:
        beside = {RANK: "integer"} | beside
    if output.answer.reasons:
        is_list = samples is not None and not samples.vote
        beside = {REASONING: "json" if is_list else "text"} | beside
    if output.has_errors:
        beside[ERROR] = "text" if output.is_table else "json"
        beside |= {RAW: "text"} if "rejected" in output.states else {}
    return beside


def _order(
    output: OutputFile, known: Sequence[str], misfits: frozenset[str], response: str
) -> tuple[str, ...] | None:
    """The columns that were chosen, in their order; None for all. An answer that did not fit into
    its columns stands in one of its own, which is written, too. Raises UsageError for a name that
    is no column of the output."""
    if not output.columns:
        return None
    for name in output.columns:
        if name not in known:
            more = " (with --keep failed)" if name == ERROR and not output.has_errors else ""
            raise UsageError(
                f"columns: the output has no column {name!r}{more}{nearest(name, known)}; it has: "
                f"{', '.join(known[:40])}"
            )
    extra = (response,) if WHOLE in misfits and response not in output.columns else ()
    return (*output.columns, *extra)


def is_from(output: OutputFile, columns: AbstractSet[str]) -> bool:
    """True if a file with these columns may be an output of the job: it has those of an answer, or
    the one of whole answers. That of the rest is no sign, it comes and goes."""
    layout = Layout(replace(output, meta=False, states=(ANSWERED,), columns=()), [])
    return output.response_column in columns or layout.columns.keys() - {layout.rest} <= columns


def _as_cell(column: str, value: Any, kind: str) -> Any:
    """A value of an answer in a column of that kind; raises Misfit if it is of another one."""
    if value is None:
        return None
    if kind != "json":
        if not _is_of(kind, value):
            raise Misfit(column, value)
        return value
    if isinstance(value, exact_json.Json):
        return value
    if isinstance(value, str) and not _LIKE_JSON.fullmatch(value.strip()):
        return value
    return exact_json.Json(exact_json.dump_record(value))


def _is_of(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, int | float):
        return kind in ("integer", "number")
    return isinstance(value, str) and kind == "text"


def _free_names(wanted: Sequence[str] | Mapping[str, str], taken: Sequence[str]) -> dict[str, str]:
    """A column for every wanted name; one that is taken, or blank, gets the prefix `response_`.
    Names that differ in case alone are one to SQL, which would find the first of them."""
    free: dict[str, str] = {}
    used = {name.casefold() for name in taken}
    for name in wanted:
        column = name
        while column.casefold() in used or not column.strip():
            column = f"response_{column}"
        free[name] = column
        used.add(column.casefold())
    return free


def is_explained(output: OutputFile, columns: Sequence[str], found: AbstractSet[str]) -> bool:
    """True if a file with the columns `found` may be an output of the job with these input columns:
    each of its columns is one of the input or of an answer."""
    layout = Layout(replace(output, meta=True, columns=()), columns)
    ours = {*columns, *layout.columns, *_META, REASONING, "reasoning_tokens", RANK}
    ours |= {AGREEMENT, VOTES}
    ours |= {ERROR, RAW, SKIPPED}
    return all(name in ours or name.startswith("response") for name in found)


def check_attribution(by: Sequence[str], snapshot: Snapshot) -> None:
    """Raise UsageError if the cost is to be divided by a column that the input does not have."""
    known = snapshot.source.columns
    for name in by if snapshot.row_count else ():
        if name not in known:
            raise UsageError(
                f"attribute_by: no column {name!r} in {snapshot.source.input}"
                f"{nearest(name, known)}; columns: {', '.join(known[:20]) or 'none'}"
            )
