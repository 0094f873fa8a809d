"""All that a line asks for: the settings of its requests, how many there are, and their texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.batch_files import drawing, forms, parameters, values
from llmbatch.batch_files.lines import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    RERANK,
    BodyError,
    Line,
)
from llmbatch.core import units
from llmbatch.core.records import Message

NO_DEFAULTS: Mapping[str, Any] = {}
MOST_PARTS = 4096
"""So many answers one line may ask for."""
_ENCODINGS = ("float", "base64")
# The pairs of names under which the two sides of pairs come.
_SIDES = (
    ("queries", "documents"),
    ("queries", "items"),
    ("data_1", "data_2"),
    ("text_1", "text_2"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """`settings`: those of each of its requests, as JSON; `given`: the parameters as they were
    read; `texts`: the messages of each text or pair that it names, None of a chat, whose messages
    are in `given`; `draws`: answers to each of them."""

    line: Line
    settings: Mapping[str, Any]
    given: Mapping[str, Any]
    texts: Sequence[tuple[Message, ...]] | None
    draws: int = 1

    @property
    def parts(self) -> int:
        """The number of its requests."""
        return self.draws * (1 if self.texts is None else len(self.texts))

    @property
    def draws_freely(self) -> bool:
        """True if the same request has another answer each time."""
        if self.line.task != "generate":
            return False
        return self.settings.get("temperature", 1.0) > 0 and "seed" not in self.settings


def read(line: Line, defaults: Mapping[str, Any] = NO_DEFAULTS) -> Wanted:
    """All that a line asks for. `defaults`: the model's own, for what draws tokens. Raises
    BodyError for what is not answered."""
    given = parameters.given(line.endpoint, line.body)
    if line.endpoint in (CHAT, COMPLETIONS):
        if line.endpoint == COMPLETIONS and line.body.get("max_tokens", 0) is None:
            given["max_tokens"] = drawing.UNBOUNDED  # a null is no limit, and nothing is 16
        form = forms.form_of(given)
        settings = drawing.settings_of(line.endpoint, given, form, defaults)
        texts = None if line.endpoint == CHAT else _texts(given, "prompt")
        if texts is None and "messages" not in given:
            raise BodyError("messages: is missing", "messages")
        made = Wanted(line, settings, given, texts, given.get("n", 1))
    else:
        texts = _embedded(given) if line.endpoint == EMBEDDINGS else _pairs(line.endpoint, given)
        made = Wanted(line, _pooling(given), given, texts)
    if made.parts > MOST_PARTS:
        asked = units.count(made.parts, "answer")
        raise BodyError(f"asks for {asked}, more than {MOST_PARTS:,}: divide it")
    return made


def _pooling(given: Mapping[str, Any]) -> dict[str, Any]:
    found = {"dimensions": given.get("dimensions"), "normalize": given.get("use_activation")}
    return {name: value for name, value in found.items() if value is not None}


def _texts(given: Mapping[str, Any], name: str) -> list[tuple[Message, ...]]:
    return [(Message("text", text),) for text in _list(given, name)]


def _embedded(given: Mapping[str, Any]) -> list[tuple[Message, ...]]:
    encoding = given.get("encoding_format", "float")
    if encoding not in _ENCODINGS:
        raise BodyError(
            f"encoding_format: must be one of {', '.join(_ENCODINGS)}", "encoding_format"
        )
    return _texts(given, "input")


def _pairs(endpoint: str, given: Mapping[str, Any]) -> list[tuple[Message, ...]]:
    if endpoint == RERANK:
        if "query" not in given:
            raise BodyError("query: is missing", "query")
        queries, documents = [given["query"]], _list(given, "documents")
    else:
        first, second = _sides(given)
        queries, documents = _list(given, first), _list(given, second)
    if len(queries) == 1:
        queries = queries * len(documents)
    if len(queries) != len(documents):
        raise BodyError(
            f"{len(queries)} texts on one side and {len(documents)} on the other: give one for "
            "all, or as many on both"
        )
    return [
        (Message("query", query), Message("document", document))
        for query, document in zip(queries, documents, strict=True)
    ]


def _sides(given: Mapping[str, Any]) -> tuple[str, str]:
    for sides in _SIDES:
        if sorted(given.keys() - {"use_activation"}) == sorted(sides):
            return sides
    raise BodyError(
        "the two sides of pairs are missing: queries and documents, or text_1 and text_2"
    )


def _list(given: Mapping[str, Any], name: str) -> list[str]:
    """The texts of a parameter, none of them empty."""
    if name not in given:
        raise BodyError(f"{name}: is missing", name)
    value = given[name]
    if _holds_tokens(value):
        raise BodyError(f"{name}: token numbers are not taken: send the text", name)
    found = values.texts(name, value)
    if not found:
        raise BodyError(f"{name}: is an empty list", name)
    return found


def _holds_tokens(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, int) or (isinstance(first, list) and bool(first))
