"""Requests to vLLM's engine core and its tokens back, by the shortest way.

vLLM's own front end checks and copies the parameters of each request and makes eight calls for
each token. Here a request is a copy of one that vLLM has checked, with a number and a prompt of
its own, and its tokens are put in a list. Where vLLM has to decode (stop strings) the request
goes vLLM's way.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

from llmbatch.core import clock

ANY_TOKENS = [0]


@dataclass(slots=True)
class Answer:
    """What the engine core has sent for one request.

    `cached`: prompt tokens served by the prefix cache; `reason`: vLLM's name of it, None while
    more is to come; `text`: None where the tokens are still to be decoded.
    """

    number: str
    prompt: int
    tokens: list[int] = field(default_factory=list)
    cached: int = 0
    reason: str | None = None
    text: str | None = None


@dataclass(slots=True)
class Arrived:
    """What one message of the engine core has brought: once a step, after the step.

    `begun`: numbers of the requests whose first token is here; `ended`: how many requests have
    left the batch; `stats`: the scheduler's (None where they are off); `at`: when the step
    ended; `queued_at`: when the engine core received the first of the requests that began;
    `asked_at`: when we asked for the step, where the engine core works only then (in one process
    with us). All are seconds of the clock that `core.clock.seconds` reads. `answering`: how many
    requests got a token; `prefilled`: of each request that began, the prompt tokens that were
    computed for it, in this step or before.
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


class Exchange:
    """The way to and from the engine core of an LLMEngine. For one thread."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._open: dict[str, Answer] = {}
        # Sent vLLM's way and not begun: our numbers, by the names that vLLM gave them.
        self._renamed: dict[str, str] = {}
        self._in_process = not hasattr(engine.engine_core, "outputs_queue")

    def pattern(self, parameters: Any) -> Any:
        """A request with these parameters, checked by vLLM, for `add`. Raises what vLLM does."""
        prompt = {"type": "token", "prompt_token_ids": ANY_TOKENS}
        engine = self._engine
        return engine.input_processor.process_inputs(
            "pattern", prompt, parameters, supported_tasks=engine.get_supported_tasks()
        )

    def add(self, number: str, tokens: list[int], pattern: Any) -> None:
        """Send a request like `pattern`. Raises ValueError for tokens that the model has not."""
        engine = self._engine
        if not tokens:
            raise ValueError("the prompt is empty")
        engine.renderer.validate_token_ids(tokens)
        request = copy.copy(pattern)
        request.request_id, request.prompt_token_ids = number, tokens
        request.arrival_time = clock.seconds()  # decides between requests of equal priority
        if pattern.sampling_params.detokenize:
            engine.input_processor.assign_request_id(request)
            engine.output_processor.add_request(request, None)
            self._renamed[request.request_id] = number
        else:
            request.external_req_id = number
            self._open[number] = Answer(number, len(tokens))
        engine.engine_core.add_request(request)

    def receive(self) -> Arrived:
        """What the engine core sends next; in one process with it: what its next step brings."""
        asked_at = clock.seconds() if self._in_process else None
        outputs = self._engine.engine_core.get_output()
        arrived = Arrived([], [], 0, outputs.scheduler_stats, outputs.timestamp, None, asked_at)
        others = [output for output in outputs.outputs if not self._take(output, arrived)]
        if others:
            arrived.finished += self._decoded_by_vllm(others, outputs)
        return arrived

    def _take(self, output: Any, arrived: Arrived) -> bool:
        """Add an output to its answer. False: it is not for us."""
        if output.finish_reason is not None:
            arrived.ended += 1
        if output.events and arrived.queued_at is None:
            arrived.queued_at = output.events[0].timestamp
        if output.new_token_ids:
            arrived.answering += 1
        if output.prefill_stats is not None:
            arrived.prefilled.append(output.prefill_stats.num_computed_tokens)
        answer = self._open.get(output.request_id)
        if answer is None:
            if output.request_id in self._renamed:
                arrived.begun.append(self._renamed.pop(output.request_id))
            return False
        if not answer.tokens:
            arrived.begun.append(answer.number)
            if output.prefill_stats is not None:
                answer.cached = output.prefill_stats.num_cached_tokens
        answer.tokens += output.new_token_ids
        if output.finish_reason is not None:
            answer.reason = str(output.finish_reason)
            arrived.finished.append(self._open.pop(output.request_id))
        return True

    def _decoded_by_vllm(self, others: list[Any], outputs: Any) -> list[Answer]:
        """Those also finished whose stop string vLLM has found; outputs of nobody are dropped."""
        engine = self._engine
        processed = engine.output_processor.process_outputs(
            others, outputs.timestamp, None, outputs.weight_version
        )
        engine.engine_core.abort_requests(processed.reqs_to_abort)
        return [_answer(output) for output in processed.request_outputs if output.finished]

    def abort(self, numbers: list[str]) -> None:
        """Give up requests; numbers of others are passed over."""
        ours = [number for number in numbers if self._open.pop(number, None) is not None]
        self._engine.engine_core.abort_requests(ours)
        self._engine.abort_request(numbers)
        given_up = set(numbers)
        for name in [name for name, number in self._renamed.items() if number in given_up]:
            del self._renamed[name]


def _answer(output: Any) -> Answer:
    """From vLLM's own form of a finished request."""
    (completion,) = output.outputs
    return Answer(
        output.request_id,
        len(output.prompt_token_ids),
        list(completion.token_ids),
        output.num_cached_tokens or 0,
        completion.finish_reason,
        completion.text,
    )
