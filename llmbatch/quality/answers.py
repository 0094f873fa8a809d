"""The rows of a job and their answers, typed, for all that judges answers: from the store, or from
an output file alone. Rows come one after the other, in input order; none is kept."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from llmbatch.core import exact_json, vectors
from llmbatch.quality import votes
from llmbatch.quality.answer_form import RESPONSE, AnswerForm
from llmbatch.store import results
from llmbatch.store.database import Database

if TYPE_CHECKING:
    from llmbatch.core.vectors import Numbers

ANSWERED = "answered"
STATES = (ANSWERED, "failed", "skipped", "pending")
"""The states of rows."""
WINDOW = 20_000
_PLACE = ("row", "file", "line", "id", "data", "state", "answer", "kind", "message", "request")


@dataclass(slots=True)
class RowAnswer:
    """A row, and its answer if it has one.

    `row`: its ordinal in the input, from 1; of a file, among the file's rows. `data`: the input's
    columns, a JSON object. `text`: the answer as it is stored or written, of several samples that
    vote the one that won; None unless the row is answered. `response`: the answer as a value: a
    text, a JSON value with exact numbers, a number, a vector (`vector` has its numbers), or a list
    of all samples, where they do not vote. `fields`: what stands beside it, such as `confidence`.
    `why`: the kind of failure and its message. `request`: the key of its request, which rows may
    share.
    `meta`: finish_reason, attempt, tokens and the like.
    """

    row: int
    id: str
    line: int
    state: str
    data: str
    text: str | None = None
    response: Any = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    why: tuple[str, str] | None = None
    request: str | None = None
    file: int = 0
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_answered(self) -> bool:
        """True if the row has an answer that was accepted."""
        return self.state == ANSWERED

    @property
    def input(self) -> dict[str, Any]:
        """The input's columns, with every value as it was written. Parsed at each call."""
        return exact_json.parse_record(self.data)

    @property
    def confidence(self) -> float | None:
        """The probability of the label, or the share of samples that gave the answer; None where
        neither is known."""
        for name in ("confidence", "agreement"):
            value = self.fields.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return float(value)
        return None

    @property
    def vector(self) -> "Numbers":
        """The numbers of an answer that is a vector. Raises ValueError for any other."""
        import numpy as np  # the help of commands does without

        if isinstance(self.response, str):
            return vectors.read(self.response)
        return np.asarray(self.response, dtype=np.float32)


def of_store(
    db: Database, form: AnswerForm, states: Sequence[str] = (ANSWERED,)
) -> Iterator[RowAnswer]:
    """The rows in these states, in input order. One such iterator over a store at a time."""
    for found in results.in_input_order(db, list(states)):
        yield of_row(found, form)


def of_row(found: Mapping[str, Any], form: AnswerForm) -> RowAnswer:
    """A row as `store/results` has it."""
    made = RowAnswer(
        row=found["row"],
        id=found["id"],
        line=found["line"],
        state=found["state"],
        data=found["data"],
        request=found["request"],
        file=found["file"],
        meta={name: value for name, value in found.items() if name not in _PLACE},
    )
    if made.is_answered:
        _answer(made, found["answer"], int(found["samples"]), form)
    elif found["kind"] is not None:
        made.why = (found["kind"], found["message"] or "")
    return made


def _answer(made: RowAnswer, text: str, samples: int, form: AnswerForm) -> None:
    if samples > 1:
        given: list[str | None] = orjson.loads(text)
        if not form.votes:
            made.text = text
            made.response = [None if each is None else read(each, form)[0] for each in given]
            return
        ranked = votes.ranked(given, is_json=form.is_json)
        made.text = given[ranked[0][0]]
        made.response, _ = read(made.text or "", form)
        made.fields = {"agreement": len(ranked[0]) / len(given)}
        return
    made.text = text
    made.response, made.fields = read(text, form)


def read(text: str, form: AnswerForm) -> tuple[Any, Mapping[str, Any]]:
    """The value of one stored answer, and the fields beside it."""
    if form.has_fields:
        document = exact_json.parse_record(text)
        return document.pop(RESPONSE, None), document
    return (value_of_json(text) if form.is_json else text), {}


def value_of_json(text: str) -> Any:
    """The JSON value of an answer with exact numbers; the text itself if it is none."""
    try:
        return exact_json.parse_record(f'{{"":{text}}}')[""]
    except ValueError:
        return text


def windows(rows: Iterable[RowAnswer], size: int = WINDOW) -> Iterator[list[RowAnswer]]:
    """The rows in lists of `size`, the last one of what is left."""
    rows = iter(rows)
    while window := list(islice(rows, size)):
        yield window
