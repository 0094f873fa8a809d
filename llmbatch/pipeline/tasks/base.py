"""The task of a job: what the engine is asked for each row, and what an answer has to be."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from llmbatch.constraints.json_check import Judge, Judgement
from llmbatch.core.outcomes import Tries
from llmbatch.core.records import Ask, Constraint, Message, Request, Sampling
from llmbatch.engines.pooling import KnownPooling, not_known


@dataclass(frozen=True, slots=True)
class AnswerColumns:
    """The columns of an answer, before they are fitted between those of the input.

    `whole`: the type of one column that takes all of an answer. `is_json`: True if an answer is
    JSON; then `parts` are the types of the columns that its properties are spread over in a table,
    by name, maybe none, and `has_rest` is True if one more is there for properties without a name.
    `reasons`: True if a column takes what the model thought before. `fields`: types of the columns
    that an answer, a JSON object with these properties, is spread over in every format; "response"
    is the job's own column of the answer. Without any, `whole` and `parts` say it.
    """

    whole: str
    parts: Mapping[str, str]
    is_json: bool = False
    has_rest: bool = False
    reasons: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)


class Task(Protocol):
    """One task with the settings of a job. `registry.make` makes it."""

    @property
    def name(self) -> str:
        """A part of the key of every request."""

    @property
    def sections(self) -> tuple[str, ...]:
        """The tables of the job's spec that can change an answer, and so are in every key."""

    @property
    def sampling(self) -> Sampling:
        """The drawing of tokens at the first try of a request."""

    @property
    def form(self) -> Constraint | None:
        """The constraint that answers are checked against."""

    @property
    def constraint(self) -> Constraint | None:
        """The constraint that the engine has to keep: the form, unless answers are only checked."""

    @property
    def ask(self) -> Ask | None:
        """The object of its requests, where that is no text."""

    @property
    def columns(self) -> AnswerColumns:
        """The columns of an answer in the output."""

    def body(self, data: str) -> Mapping[str, Any] | None:
        """The JSON object of all that a row (JSON) asks for beside its messages, if anything. It is
        a part of the key of its request."""

    def request(
        self, key: str, messages: Sequence[Message], tries: Tries, body: Mapping[str, Any] | None
    ) -> Request:
        """The request of a row, after the failed `tries` that it has had."""

    def require_valid(self) -> None:
        """Raise UsageError when no answer can be checked by the job's settings."""

    def notices(self) -> list[str]:
        """Lines for the user about what is asked, before anything is run."""

    def check(self, pooling: KnownPooling = not_known) -> AbstractContextManager[Judge]:
        """The check of its answers, bounded in time, for use inside the context. `pooling`: gives
        how the engine makes numbers of texts, where it says so; it is asked once an answer has
        come, because some engines know it from their start on."""


class Part(NamedTuple):
    """One of the requests of a row; `body`: see `Task.body`."""

    messages: Sequence[Message]
    body: Mapping[str, Any] | None


@runtime_checkable
class DividesRows(Protocol):
    """A task that may make several requests of a row, or none."""

    @property
    def dividing(self) -> Sequence[Any]:
        """JSON of all by which rows become requests, beside the rows and what is in every key."""

    def parts(self, data: str, messages: Sequence[Message]) -> Sequence[Part]:
        """The requests of a row (JSON) with these messages, in the order of its answers. Raises
        `batch_files.lines.BodyError` for a row that is not to be asked."""


@runtime_checkable
class RowJudge(Protocol):
    """A judge that holds each answer to the form that its own request asks for."""

    def of_row(self, text: str, body: Mapping[str, Any] | None) -> Judgement:
        """The judgement of the answer to a request with this body."""
