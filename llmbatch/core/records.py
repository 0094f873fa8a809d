"""Input records and engine requests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(slots=True)
class Record:
    """One input record. Not frozen: there is one for each row, and it is made in half the time.

    `line` is the 1-based physical line on which it starts; `data` is a JSON object
    as text, with every value as it was written; `file` counts the files of the input from 0.
    """

    line: int
    data: str
    file: int = 0


@dataclass(frozen=True, slots=True)
class Reject:
    """An input line that never became a row. `raw` is cut to `RAW_LIMIT` characters; `file` counts
    the files of the input from 0."""

    line: int
    reason: str
    raw: str
    file: int = 0


RAW_LIMIT = 10_000


Role = Literal["system", "user", "assistant", "prefill", "text", "query", "document"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat, or what stands in the place of one.

    "prefill": the last one of a chat, the beginning of the answer, with which the answer's text
    begins, too. "text": the only one, which is sent as it is, without a chat template. "query" and
    "document": a pair, in this order.
    """

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """The way from messages to the model's prompt. `template`: the source of a chat template
    (Jinja2), None: the model's own; `kwargs`: variables that it gets beside the messages.
    `thinking`: whether the model thinks before it answers, a number: in so many tokens at most;
    None: as the template has it."""

    template: str | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    thinking: Literal["off", "on"] | int | None = None


@dataclass(frozen=True, slots=True)
class Sampling:
    """The parameters by which tokens are drawn. Lengths are in tokens; a seed of None: unseeded.
    `repetition`: an answer in which the same tokens come so many times in a row is ended (0:
    never); one that is not ended is the same for any value. `logit_bias`: what is added to the
    scores of tokens, by their ids; `logprobs`: with each token of the answer comes its log
    probability, and those of so many of the likeliest; `stop_token_ids` end an answer as a `stop`
    does, which stands in the answer with `include_stop`; `ignore_eos`: the model's own end of an
    answer does not end it."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    max_tokens: int = 512
    seed: int | None = None
    stop: tuple[str, ...] = ()
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition: int = 0
    logit_bias: tuple[tuple[int, float], ...] = ()
    logprobs: int | None = None
    min_tokens: int = 0
    stop_token_ids: tuple[int, ...] = ()
    include_stop: bool = False
    ignore_eos: bool = False


@dataclass(frozen=True, slots=True)
class Constraint:
    """The form that an answer must have.

    `kind` "choice": `value` is a JSON array of strings; "json": a JSON Schema as JSON text;
    "regex": the pattern itself, matched against the whole answer.
    """

    kind: Literal["choice", "json", "regex"]
    value: str


@dataclass(frozen=True, slots=True)
class Ask:
    """The object of a request that is no text.

    `kind` "labels": how likely each of `labels` is as the answer, by its own tokens up to the first
    that tells it from the others, or by the `whole` of them and the end of the answer; "embed": the
    vector of a text, of `dimensions` numbers (None: all of the model's), of length 1 with
    `normalize` (None: as the model has it); "score": one number of a pair; "heads": the numbers of
    a classification head.
    `pooling`: how the vectors of the tokens become one, for a model that does not say it;
    `prompt_name`: which of the model's prefixes a text gets (None: the model's default one).
    `overflow`: what becomes of a text that is too long: a failure, the vector of its beginning, or
    the mean of the vectors of its parts, weighted by their tokens.

    The text of its `Completed` is a JSON array of natural log probabilities for "labels", in their
    order, and else base64 of float32 numbers (little-endian); where a text, or the document of a
    pair, may overflow, in a JSON object as `vector`, with `cut`, the tokens left out, or `parts`,
    how many there are.
    """

    kind: Literal["labels", "embed", "score", "heads"]
    labels: tuple[str, ...] = ()
    dimensions: int | None = None
    normalize: bool | None = None
    pooling: Literal["cls", "mean", "last"] | None = None
    prompt_name: str | None = None
    overflow: Literal["fail", "truncate", "split"] = "fail"
    whole: bool = False

    @property
    def pools(self) -> bool:
        """True if no token is generated for it."""
        return self.kind != "labels"


@dataclass(frozen=True, slots=True)
class Request:
    """The engine-ready form of a row, named by its content key (32 hex digits).

    `sampling`, `constraint` and `ask` are shared objects: engines may cache by identity. `body` is
    a JSON object of what the row asks for besides. `ask`: what is asked for, where that is no text;
    `adapter`: the digest of the adapter that answers it, one of `EngineConfig.adapters`.
    """

    key: str
    messages: tuple[Message, ...]
    sampling: Sampling
    constraint: Constraint | None = None
    body: Mapping[str, Any] | None = None
    ask: Ask | None = None
    adapter: str | None = None

    @property
    def prefill(self) -> str:
        """The beginning of its answer that the request gives; "" if it gives none."""
        last = self.messages[-1]
        return last.content if last.role == "prefill" else ""
