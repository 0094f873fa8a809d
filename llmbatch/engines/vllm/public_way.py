"""The public way: requests through vLLM's own `add_request` and `step`.

It costs more for each row and each token than the short way, and rests on what vLLM means for
others to use; what the steps did is told by a statistics logger, which vLLM offers, too.
"""

from collections import deque
from typing import Any

from llmbatch.core import clock
from llmbatch.engines.vllm.core_channel import Answer, StepOutput, answer_of


class StepStats:
    """Keeps what vLLM tells its statistics loggers of each step, until it is taken.

    An instance is the logger and what makes it: vLLM calls the factory that it was given.
    """

    def __init__(self) -> None:
        self._told: deque[tuple[Any, Any]] = deque(maxlen=64)

    def __call__(self, *_: Any, **__: Any) -> "StepStats":
        return self

    def record(
        self, scheduler_stats: Any = None, iteration_stats: Any = None, *_: Any, **__: Any
    ) -> None:
        """Part of vLLM's StatLoggerBase: after each step."""
        self._told.append((scheduler_stats, iteration_stats))

    def log_engine_initialized(self) -> None:
        """Part of vLLM's StatLoggerBase."""

    def log(self) -> None:
        """Part of vLLM's StatLoggerBase."""

    def record_sleep_state(self, *_: Any, **__: Any) -> None:
        """Part of vLLM's StatLoggerBase."""

    def take(self) -> tuple[Any, Any]:
        """The scheduler's and the step's figures of the last step; None where vLLM told none."""
        told = self._told.pop() if self._told else (None, None)
        self._told.clear()
        return told


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
        """The parameters alone: vLLM checks them with each request."""
        return parameters

    def add(self, number: str, tokens: list[int], template: Any) -> None:
        """Send a request. Raises what vLLM says of it."""
        if not tokens:
            raise ValueError("the prompt is empty")
        self._queued_at = self._queued_at or clock.seconds()
        self._engine.add_request(number, {"prompt_token_ids": tokens}, template)
        self._waiting[number] = None

    def receive(self) -> StepOutput:
        """What the next step brings."""
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
            getattr(step, "num_generation_tokens", 0),
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
    """Prompt tokens computed for those that began: vLLM tells the sum of a step."""
    computed = getattr(getattr(step, "prompt_token_stats", None), "computed", 0)
    return [computed] if begun and computed else []
