"""The columns of vectors in an output: how wide they are, and their values."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmbatch.core import exact_json, vectors
from llmbatch.core.errors import UsageError
from llmbatch.pipeline.rows.output_file import ANSWERED, NPY, OutputFile
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


def rows_beside(output: OutputFile, columns: Sequence[str], own: Sequence[str]) -> OutputFile:
    """The file with the rows of an output of vectors alone: the same rows in the same order, with
    all columns that are to be written but the vector. `own`: the columns beside those of the input,
    the vector's among them."""
    kinds = dict(output.answer.fields) or {_RESPONSE: output.answer.whole}
    vector = next((name for name, kind in kinds.items() if vectors.KIND.match(kind)), None)
    if vector is None:
        raise UsageError(f"{output.path}: an .npy file holds vectors alone (--task embed)")
    hidden = output.response_column if vector == _RESPONSE else vector
    chosen = output.columns or (*columns, *own)
    kept = tuple(name for name in chosen if name != hidden)
    return replace(output, path=beside(output.path), format_name="csv", columns=kept)


def beside(path: Path) -> Path:
    """The file with the rows of an .npy file."""
    return path.with_suffix(".ids.csv")


def check_beside(output: OutputFile, named: AbstractSet[str]) -> None:
    """Raise UsageError for a file of somebody else where the rows of an .npy file are to be.
    `named`: the outputs of earlier runs."""
    path = beside(output.path)
    is_ours = output.overwrite or output.path.name in named
    if output.format_name == NPY and path.exists() and not is_ours:
        raise UsageError(
            f"{path}: is there, and no run of this job has written it; the rows of the vectors go "
            "there: rename one of the two, or say --overwrite"
        )


def _sized(kind: str, text: Any) -> str:
    if not (vectors.KIND.fullmatch(kind) and isinstance(text, str)):
        return kind
    return f"{kind.partition('[')[0]}[{len(vectors.read(text))}]"


def _first_answer(db: Database) -> str | None:
    rows = results.in_input_order(db, [ANSWERED])
    first: Mapping[str, Any] | None = next(rows, None)
    return None if first is None else first["answer"]
