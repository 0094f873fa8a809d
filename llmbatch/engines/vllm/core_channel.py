"""Messages to and from vLLM's engine core, the same for each way of driving it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from llmbatch.core.messages import json_text

LEAST = -9999.0
"""In place of minus infinity, as in vLLM's own server."""

IsSettled = Callable[[Sequence[int]], bool]
"""True of the tokens of an answer whose rest is known, and which is not worth going on with."""
SETTLED = "settled"
"""The reason of an answer that was ended for that."""


@dataclass(slots=True)
class Answer:
    """The output of the engine core for one request, up to now.

    `cached`: prompt tokens served by the prefix cache; `reason`: vLLM's name of the reason for the
    end, None while more is to come; `text`: None where the tokens are still to be decoded;
    `error`: the reason for which vLLM took the request back; `vector`: what a pooling model gives,
    a tensor; `logprobs`: see `Completed`; `likely`: the log probabilities of the tokens that were
    asked for, at the first step.
    """

    number: str
    prompt: int
    tokens: list[int] = field(default_factory=list)
    cached: int = 0
    reason: str | None = None
    text: str | None = None
    error: str | None = None
    vector: Any = None
    logprobs: str | None = None
    likely: dict[int, float] | None = None


@dataclass(slots=True)
class StepOutput:
    """The contents of one message of the engine core, which it sends after each step.

    `begun`: numbers of the requests whose first token is here; `ended`: how many requests have
    left the batch; `stats`: the scheduler's (None where they are off); `at`: when the step
    ended; `queued_at`: when the engine core received the first of the requests that began;
    `asked_at`: when we asked for the step, where the engine core works only then (in one process
    with us). All are seconds of the clock that `core.clock.seconds` reads. `answering`: how many
    requests got a token, or several where they were drafted; `prefilled`: of each request that
    began, the prompt tokens that were computed for it, in this step or before.
    """

    finished: list[Answer]
    begun: list[str]
    ended: int
    stats: Any
    at: float
    queued_at: float | None
    asked_at: float | None = None
    answering: int = 0
    prefilled: list[int] = field(default_factory=list)


class CoreChannel(Protocol):
    """The way to and from the engine core of an LLMEngine. For one thread.

    `way` names it in the description of the engine.
    """

    way: str

    def make_template(self, parameters: Any) -> Any:
        """A request with these parameters, for `add`. Raises what vLLM raises for them."""
        ...

    def add(
        self,
        number: str,
        tokens: list[int],
        template: Any,
        is_settled: IsSettled | None = None,
        adapter: Any = None,
    ) -> None:
        """Send a request like `template`. Raises what vLLM raises for it. Its answer may be ended
        where `is_settled`, and is vLLM's `adapter`'s (a LoRARequest)."""
        ...

    def receive(self) -> StepOutput:
        """The next message of the engine core; in one process with it, that of its next step."""
        ...

    def abort(self, numbers: list[str]) -> None:
        """Give up requests; numbers of others are passed over."""
        ...


def answer_of(output: Any) -> Answer:
    """From vLLM's own form of a finished request, its RequestOutput or PoolingRequestOutput."""
    error = getattr(output, "error", None)  # vLLM has it since 0.33
    vector = getattr(output.outputs, "data", None)
    if vector is not None:
        given = Answer(output.request_id, len(output.prompt_token_ids), vector=vector)
        given.cached, given.reason = output.num_cached_tokens or 0, "stop"
        given.error = None if error is None else error.message
        return given
    (completion,) = output.outputs
    return Answer(
        output.request_id,
        len(output.prompt_token_ids),
        list(completion.token_ids),
        output.num_cached_tokens or 0,
        completion.finish_reason,
        completion.text,
        None if error is None else error.message,
        logprobs=_logprobs(completion.logprobs),
        likely=likely_of(completion.logprobs),
    )


def _logprobs(found: Any) -> str | None:
    """From vLLM's log probabilities: for each token of the answer a dictionary by token id, the
    token itself first."""
    if found is None:
        return None
    # vLLM has minus infinity for what a form forbids, which JSON has not.
    return json_text([list(map(_pair, at.values())) for at in found])


def _pair(one: Any) -> list[Any]:
    return [one.decoded_token or "", max(one.logprob, LEAST)]


def likely_of(steps: Any) -> dict[int, float] | None:
    """The log probabilities at the first step, in vLLM's own form."""
    return {token: found.logprob for token, found in steps[0].items()} if steps else None


def likely_in(row: Any) -> dict[int, float] | None:
    """The same from the engine core's form, arrays of tokens and of values; None where there is
    none. Requests of one step that ask for fewer tokens than others have them filled up with token
    0 at minus infinity, so the first value of each token counts."""
    if row is None:
        return None
    pairs = zip(row.logprob_token_ids[0].tolist(), row.logprobs[0].tolist(), strict=True)
    found: dict[int, float] = {}
    for token, value in pairs:
        found.setdefault(token, value)
    return found
