"""The outcomes of requests, and the table of failure kinds."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one attempt. `cached` is the part of `prompt` served by the prefix cache,
    `reasoning` the part of `output` that the model thought before its answer.

    Only computed and cached tokens count: a refused request has none, however long its prompt is.
    """

    prompt: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def is_nothing(self) -> bool:
        """True if no token was computed: such an attempt costs nothing and shows no speed."""
        return not (self.prompt or self.output)


@dataclass(frozen=True, slots=True)
class Completed:
    """The engine finished the request. `finish_reason` is "stop", or what cut the answer: "length"
    (`max_tokens`), "context" (prompt and answer fill the longest sequence that it takes) or
    "repetition" (the same tokens came as often in a row as the sampling has it). `logprobs`: JSON,
    for each token of the answer a list of pairs of a token's text and its natural log probability:
    first the token itself, then the likeliest ones."""

    key: str
    text: str
    finish_reason: str
    usage: Usage
    reasoning: str | None = None
    logprobs: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The request failed. `text` and `finish_reason` keep what the engine had produced. `is_final`:
    no other try follows, although its kind has some."""

    key: str
    kind: str
    message: str
    usage: Usage = Usage()
    text: str | None = None
    finish_reason: str | None = None
    is_final: bool = False


Outcome = Completed | Failed


@dataclass(frozen=True, slots=True)
class Lost:
    """Requests that were in flight on a part of the engine that died, such as a replica, while
    the rest goes on. They have no outcome and are pending again. `reason`: of the death, a line;
    `kind`: of the failure of a request that turns out to be its cause."""

    keys: tuple[str, ...]
    reason: str
    kind: str = "engine_crash"


class Verdict(StrEnum):
    """The end of an attempt, as the store keeps it."""

    ANSWERED = "answered"
    """The answer was accepted."""
    RETRY = "retry"
    """It failed, and the request is pending again."""
    DEAD = "dead"
    """It failed, and the request is a dead letter."""


@dataclass(frozen=True, slots=True)
class FailureKind:
    """A way to fail. `retryable`: another try may help; `advice`: what the user can do.

    The advice must lead to another try. A change of the row, or of a setting that is part of the
    request's key, makes another request. `engine_setting` is one that the advice names although no
    key has it: dead letters of this kind are tried again once it has grown
    (`pipeline/run/reopening`).
    """

    name: str
    retryable: bool
    advice: str
    engine_setting: str | None = None


CONTEXT = "max_model_len"
"""The engine's setting for the longest sequence that it takes, prompt and answer together."""

_KINDS = (
    FailureKind("template", False, "the prompt cannot be rendered for this row: fix the row"),
    FailureKind(
        "bad_request",
        False,
        "the row asks for what is not answered: see its message, and change its body",
    ),
    FailureKind(
        "control_tokens",
        False,
        "take the model's control tokens out of the row, or leave out --control-tokens reject",
    ),
    FailureKind(
        "unknown_adapter",
        False,
        "name one of the job's adapters in the row, or add it: --adapter-folder NAME=FOLDER",
    ),
    FailureKind("too_long", False, "shorten the row or raise max_model_len", CONTEXT),
    FailureKind(
        "truncated",
        True,
        "the answer hit max_tokens: `llmbatch retry JOB --kind truncated --max-tokens N` gives "
        "these rows alone more; free text may be kept as it is: --on-truncated keep",
    ),
    FailureKind(
        "repetition",
        True,
        "the answer repeats itself without end: change the prompt, or raise repetition_penalty in "
        "[sampling]; if it is to repeat, --repetition off, then `llmbatch retry`",
    ),
    FailureKind(
        "context_full",
        False,
        "the answer was cut where the context ends: shorten the row or raise max_model_len",
        CONTEXT,
    ),
    FailureKind(
        "unfinished_thinking",
        True,
        "the model did not end its thinking: raise max_tokens, or bound it with --thinking N",
    ),
    FailureKind("invalid_output", True, "the answer breaks the constraint: look at the prompt"),
    FailureKind(
        "check_failed",
        True,
        "the answer breaks a rule of [[check]], which the message names: look at the prompt, or at "
        "the rule (`llmbatch recheck` after a change)",
    ),
    FailureKind(
        "refused_request",
        False,
        "the engine refused this request: see the message; `llmbatch retry` has it tried again",
    ),
    FailureKind(
        "failed_elsewhere",
        False,
        "the request failed where it was sent: `llmbatch retry`, and the next run computes it here",
    ),
    FailureKind("engine_crash", False, "this request brings the engine down: leave it out"),
    FailureKind("timeout", False, "the engine hangs on this request: leave it out"),
)

FAILURE_KINDS: dict[str, FailureKind] = {kind.name: kind for kind in _KINDS}
TOLD_KINDS = ("invalid_output", "check_failed")
"""Kinds of failure of which the next try may be told: see `Tries`."""
UNFIT_KINDS = ("too_long", "context_full", "refused_request")
"""Kinds in which a request may fail for what it was told, and not for its row."""


def kinds_helped_by(setting: str) -> list[str]:
    """The kinds of failure that a larger value of this engine setting may cure."""
    return [kind.name for kind in _KINDS if kind.engine_setting == setting]


@dataclass(frozen=True, slots=True)
class Tries:
    """Failed tries of a request: in all (`attempts`), since it was last reopened, and those of the
    kinds that are retried with other sampling: `truncated`, `invalid_output` and `check_failed`
    (`invalid`) and `repetition` (`repeated`). `max_tokens`: the limit for the answer that its user
    gave when it was reopened, in place of the job's; `truncated` counts from there.

    A try may be told of the failed answer before it (`--feedback`). `unfit`: those since it was
    last reopened that failed in one of `UNFIT_KINDS` because they were; they are not among
    `since_reopened`, and the next try is told nothing."""

    attempts: int = 0
    since_reopened: int = 0
    truncated: int = 0
    invalid: int = 0
    repeated: int = 0
    max_tokens: int | None = None
    unfit: int = 0


NO_TRIES = Tries()
