"""The public way: requests through vLLM's own `add_request` and `step`.

It costs more for each row and each token than the short way, and rests on vLLM's public interface
only. The figures of its steps come from a statistics logger, which is part of that interface.
"""

from collections import deque
from typing import Any

from llmbatch.core import clock
from llmbatch.engines.vllm import vocabulary
from llmbatch.engines.vllm.core_channel import Answer, IsSettled, StepOutput, answer_of


class StepStats:
    """Keeps the figures that vLLM passes to its statistics loggers after each step.

    An instance is the logger and its own factory: vLLM calls the factory that it was given.
    """

    def __init__(self) -> None:
        self._passed: deque[tuple[Any, Any]] = deque(maxlen=64)

    def __call__(self, *_: Any, **__: Any) -> "StepStats":
        return self

    def record(
        self, scheduler_stats: Any = None, iteration_stats: Any = None, *_: Any, **__: Any
    ) -> None:
        """Part of vLLM's StatLoggerBase: after each step."""
        self._passed.append((scheduler_stats, iteration_stats))

    def log_engine_initialized(self) -> None:
        """Part of vLLM's StatLoggerBase."""

    def log(self) -> None:
        """Part of vLLM's StatLoggerBase."""

    def record_sleep_state(self, *_: Any, **__: Any) -> None:
        """Part of vLLM's StatLoggerBase."""

    def take(self) -> tuple[Any, Any]:
        """The scheduler's and the step's figures of the last step; None where vLLM passed none."""
        last = self._passed.pop() if self._passed else (None, None)
        self._passed.clear()
        return last


class PublicWay:
    """See `llmbatch.engines.vllm.core_channel.CoreChannel`."""

    way = "public"

    def __init__(self, engine: Any, stats: StepStats) -> None:
        self._engine = engine
        self._stats = stats
        self._in_process = not hasattr(engine.engine_core, "outputs_queue")
        # In the order in which they were sent, which is that in which vLLM begins them.
        self._waiting: dict[str, None] = {}
        self._queued_at: float | None = None

    def make_template(self, parameters: Any) -> Any:
        """The parameters alone: vLLM checks them with each request, but for token ids."""
        vocabulary.check_parameters(parameters, self._engine)
        return parameters

    def add(
        self,
        number: str,
        tokens: list[int],
        template: Any,
        is_settled: IsSettled | None = None,
        adapter: Any = None,
    ) -> None:
        """Send a request. Raises what vLLM raises for it. Its tokens come at its end only."""
        if not tokens:
            raise ValueError("the prompt is empty")
        self._queued_at = self._queued_at or clock.seconds()
        more = {} if adapter is None else {"lora_request": adapter}
        self._engine.add_request(number, {"prompt_token_ids": tokens}, template, **more)
        self._waiting[number] = None

    def receive(self) -> StepOutput:
        """The output of the next step."""
        asked_at = clock.seconds() if self._in_process else None
        outputs = [output for output in self._engine.step() if output.finished]
        scheduler, step = self._stats.take()
        finished = [answer_of(output) for output in outputs]
        begun = self._begun(_firsts(step), finished)
        queued_at = self._queued_at if begun else None
        self._queued_at = None if begun else self._queued_at
        return StepOutput(
            finished,
            begun,
            len(finished),
            scheduler,
            clock.seconds(),
            queued_at,
            asked_at,
            _firsts(step) + len(getattr(step, "inter_token_latencies_iter", ())),
            _computed(step, len(begun)),
        )

    def _begun(self, firsts: int, finished: list[Answer]) -> list[str]:
        """Those sent first, as many as got a first token, and all that have finished."""
        begun = [answer.number for answer in finished if answer.number in self._waiting]
        oldest = (number for number in self._waiting if number not in begun)
        begun += [number for number, _ in zip(oldest, range(firsts - len(begun)), strict=False)]
        for number in begun:
            del self._waiting[number]
        return begun

    def abort(self, numbers: list[str]) -> None:
        """Give up requests; numbers of others are passed over."""
        for number in numbers:
            self._waiting.pop(number, None)
        self._engine.abort_request(numbers)


def _firsts(step: Any) -> int:
    return len(getattr(step, "time_to_first_tokens_iter", ()))


def _computed(step: Any, begun: int) -> list[int]:
    """Prompt tokens computed for those that began: vLLM reports the sum of a step."""
    computed = getattr(getattr(step, "prompt_token_stats", None), "computed", 0)
    return [computed] if begun and computed else []
