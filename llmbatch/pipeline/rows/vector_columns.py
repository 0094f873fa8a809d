"""The columns of vectors in an output: how wide they are, and their values."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llmbatch.core import exact_json, vectors
from llmbatch.pipeline.rows.output_file import ANSWERED, OutputFile
from llmbatch.store import results
from llmbatch.store.database import Database

_RESPONSE = "response"


def written_kind(kind: str, output: OutputFile) -> str:
    """The type of a column in the output's format: a vector is a JSON array where it has none."""
    return kind if output.has_vectors or not vectors.KIND.fullmatch(kind) else "json"


def value(text: str, kind: str, written: str) -> Any:
    """A stored vector in a column of this kind, which is `written` so."""
    numbers = vectors.of_kind(vectors.read(text), kind)
    return exact_json.Json(vectors.to_json(numbers)) if written == "json" else numbers


def sized(db: Database, output: OutputFile) -> OutputFile:
    """The output whose columns of vectors are as wide as the first of the answers, which all are:
    their check holds that."""
    answer = output.answer
    kinds = {_RESPONSE: answer.whole} | dict(answer.fields)
    if not any(vectors.KIND.fullmatch(kind) and kind.endswith("[]") for kind in kinds.values()):
        return output
    text = _first_answer(db)
    if text is None:
        return output
    of_first = exact_json.parse_record(text) if answer.fields else {_RESPONSE: text}
    fields = {name: _sized(kind, of_first.get(name)) for name, kind in answer.fields.items()}
    whole = _sized(answer.whole, of_first.get(_RESPONSE))
    return replace(output, answer=replace(answer, whole=whole, fields=fields))


def _sized(kind: str, text: Any) -> str:
    if not (vectors.KIND.fullmatch(kind) and isinstance(text, str)):
        return kind
    return f"{kind.partition('[')[0]}[{len(vectors.read(text))}]"


def _first_answer(db: Database) -> str | None:
    rows = results.in_input_order(db, [ANSWERED])
    first: Mapping[str, Any] | None = next(rows, None)
    return None if first is None else first["answer"]
