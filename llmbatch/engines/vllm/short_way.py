"""The short way: requests to vLLM's engine core and its tokens back, past vLLM's front end.

vLLM's own front end checks and copies the parameters of each request and makes eight calls for
each token. Here a request is a copy of one that vLLM has checked, with a number and a prompt of
its own, and its tokens are put in a list. Where vLLM has to decode (stop strings) the request
goes through vLLM's front end. `ways` lists the parts of vLLM that this rests on.
"""

import copy
import inspect
from typing import Any

from llmbatch.core import clock
from llmbatch.engines.vllm import vocabulary
from llmbatch.engines.vllm.core_channel import (
    SETTLED,
    Answer,
    IsSettled,
    StepOutput,
    answer_of,
    likely_in,
)

ANY_TOKENS = [0]


class ShortWay:
    """See `llmbatch.engines.vllm.core_channel.CoreChannel`."""

    way = "short"

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._open: dict[str, Answer] = {}
        self._is_settled: dict[str, IsSettled] = {}
        # Sent through vLLM's front end and not begun: our numbers, by the names that it gave.
        self._renamed: dict[str, str] = {}
        self._in_process = not hasattr(engine.engine_core, "outputs_queue")
        self._last_token = vocabulary.last_token(engine)
        known = inspect.signature(engine.output_processor.process_outputs).parameters
        self._tells_weights = "weight_version" in known  # since vLLM 0.32

    def make_template(self, parameters: Any) -> Any:
        """A request with these parameters, checked by vLLM, for `add`. Raises what vLLM raises."""
        vocabulary.check_parameters(parameters, self._engine)
        prompt = {"type": "token", "prompt_token_ids": ANY_TOKENS}
        engine = self._engine
        return engine.input_processor.process_inputs(
            "template", prompt, parameters, supported_tasks=engine.get_supported_tasks()
        )

    def add(
        self,
        number: str,
        tokens: list[int],
        template: Any,
        is_settled: IsSettled | None = None,
        adapter: Any = None,
    ) -> None:
        """Send a request like `template`. Raises ValueError for tokens that the model lacks. An
        answer that vLLM's front end decodes is not ended where it is settled."""
        engine = self._engine
        if not tokens:
            raise ValueError("the prompt is empty")
        # As vLLM's front end does it: the model would take another token, or break.
        vocabulary.check((min(tokens), max(tokens)), self._last_token)
        request = copy.copy(template)
        request.request_id, request.prompt_token_ids = number, tokens
        request.lora_request = adapter
        request.arrival_time = clock.seconds()  # decides between requests of equal priority
        if template.sampling_params is not None and template.sampling_params.detokenize:
            engine.input_processor.assign_request_id(request)
            engine.output_processor.add_request(request, None)
            self._renamed[request.request_id] = number
        else:
            request.external_req_id = number
            self._open[number] = Answer(number, len(tokens))
            if is_settled is not None:
                self._is_settled[number] = is_settled
        engine.engine_core.add_request(request)

    def receive(self) -> StepOutput:
        """The next message of the engine core; in one process with it, that of its next step."""
        asked_at = clock.seconds() if self._in_process else None
        outputs = self._engine.engine_core.get_output()
        step = StepOutput([], [], 0, outputs.scheduler_stats, outputs.timestamp, None, asked_at)
        others = [
            output
            for output in outputs.outputs
            if not (self._goes_on(output, step) or self._take(output, step))
        ]
        settled = [answer.number for answer in step.finished if answer.reason == SETTLED]
        if settled:
            self._engine.engine_core.abort_requests(settled)
        if others:
            step.finished += self._decoded_by_vllm(others, outputs)
        return step

    def _goes_on(self, output: Any, step: StepOutput) -> bool:
        """Add an output that is nothing but the next tokens of an answer, as most are."""
        answer = self._open.get(output.request_id)
        if (
            answer is None
            or not answer.tokens
            or output.finish_reason is not None
            or output.prefill_stats is not None
            or output.events
            or answer.number in self._is_settled
        ):
            return False
        if output.new_token_ids:
            answer.tokens += output.new_token_ids
            step.answering += 1
        return True

    def _take(self, output: Any, step: StepOutput) -> bool:
        """Add an output to its answer. False: vLLM's front end has to decode it."""
        if output.finish_reason is not None:
            step.ended += 1
        if output.events and step.queued_at is None:
            step.queued_at = output.events[0].timestamp
        step.answering += bool(output.new_token_ids)
        if output.prefill_stats is not None:
            step.prefilled.append(output.prefill_stats.num_computed_tokens)
        answer = self._open.get(output.request_id)
        if answer is None:
            if output.request_id in self._renamed:
                step.begun.append(self._renamed.pop(output.request_id))
            return False
        if not answer.tokens:
            step.begun.append(answer.number)
            if output.prefill_stats is not None:
                answer.cached = output.prefill_stats.num_cached_tokens
            answer.likely = likely_in(output.new_logprobs)
        answer.tokens += output.new_token_ids
        answer.vector = output.pooling_output
        answer.reason = self._reason(answer, output)
        if answer.reason is not None:
            self._is_settled.pop(answer.number, None)
            step.finished.append(self._open.pop(answer.number))
        return True

    def _reason(self, answer: Answer, output: Any) -> str | None:
        """The reason for the end of an answer; None while more is to come."""
        if output.finish_reason is None:
            is_settled = self._is_settled.get(answer.number)
            return SETTLED if is_settled is not None and is_settled(answer.tokens) else None
        error = getattr(output, "error", None)  # since vLLM 0.33
        answer.error = None if error is None else error.message
        return str(output.finish_reason)

    def _decoded_by_vllm(self, others: list[Any], outputs: Any) -> list[Answer]:
        """Answers that vLLM decodes and has finished; outputs of abandoned requests are dropped."""
        engine = self._engine
        weights = {"weight_version": outputs.weight_version} if self._tells_weights else {}
        processed = engine.output_processor.process_outputs(
            others, outputs.timestamp, None, **weights
        )
        engine.engine_core.abort_requests(processed.reqs_to_abort)
        return [answer_of(output) for output in processed.request_outputs if output.finished]

    def abort(self, numbers: list[str]) -> None:
        """Give up requests; numbers of others are passed over."""
        ours = [number for number in numbers if self._open.pop(number, None) is not None]
        for number in ours:
            self._is_settled.pop(number, None)
        self._engine.engine_core.abort_requests(ours)
        self._engine.abort_request(numbers)
        given_up = set(numbers)
        for name in [name for name, number in self._renamed.items() if number in given_up]:
            del self._renamed[name]
