"""A running LLMEngine from our side: one call at a time, its death, its end."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from llmbatch.core.errors import EngineError
from llmbatch.engines.vllm import attention, failure_reasons, leftovers, processes, start, ways
from llmbatch.engines.vllm.core_channel import CoreChannel, IsSettled, StepOutput
from llmbatch.engines.vllm.early_start import EarlyStart
from llmbatch.engines.vllm.public_way import StepStats
from llmbatch.engines.vllm.versions import MISMATCHES

CLOSE_SECONDS = 15.0
CLOSED = "it was closed"


class Client:
    """vLLM's engine with its processes and files.

    vLLM's client is made for one thread, so each call of it holds a lock, and `close` from
    another thread waits for the call that it has interrupted.
    """

    def __init__(self, log_path: str | None, log_start: int, early: EarlyStart) -> None:
        self._log = (log_path, log_start)
        self._calls = threading.Lock()
        self._processes = processes.Processes()
        self._early = early
        self._shut_down: Callable[[], object] | None = None
        self.engine: Any = None
        self.channel: CoreChannel | None = None
        self.stats = StepStats()
        self.way: dict[str, str | None] = {}
        self.death: str | None = None

    def start(self, model: str, options: Mapping[str, Any], *, local: bool) -> None:
        """Build the engine. Exceptions of vLLM pass through; the caller then calls `close`."""
        engine = start.build(
            model,
            options,
            local=local,
            scratch=str(self._early.scratch.path),
            within=self._early.used(),
            stat_loggers=[self.stats],
        )
        with self._calls:
            self._shut_down = _take_over(engine)
            self.engine = engine
            self.channel, reason = ways.choose(engine, self.stats)
            self.way = {"way": self.channel.way, "way_reason": reason}
            self.way["attention_backend"] = attention.backend(engine.vllm_config, *self._log)
            self._early.scratch.note(leftovers.segments_of(self._processes.remember()))
        self._processes.watch(_children(engine), self._on_death)
        self._require_alive()

    def make_template(self, parameters: Any) -> Any:
        """A request with these parameters, for `add`. Raises what vLLM raises for them."""
        with self._calls:
            return self._require_alive().make_template(parameters)

    def add(
        self,
        number: str,
        tokens: list[int],
        template: Any,
        is_settled: IsSettled | None = None,
        adapter: Any = None,
    ) -> None:
        """Send a request. Raises EngineError if the engine is gone, else what vLLM raises."""
        with self._calls:
            channel = self._require_alive()
            try:
                channel.add(number, tokens, template, is_settled, adapter)
            except Exception as error:
                # Distinguished here, or the death of the engine would be a fault of this request.
                if self._is_gone():
                    raise self._died(error) from error
                if isinstance(error, MISMATCHES):
                    raise
                channel.abort([number])  # it may have been noted before it failed
                raise

    def receive(self) -> StepOutput:
        """The output of the engine's present step, after waiting for its end."""
        with self._calls:
            channel = self._require_alive()
            try:
                return channel.receive()
            except Exception as error:
                if isinstance(error, MISMATCHES) and not self._is_gone():
                    raise
                raise self._died(error) from error

    def has_arrived(self) -> bool:
        """True if `receive` would return at once. False where the engine works in this process."""
        queue = self._outputs()
        return queue is not None and not queue.empty()

    def abort(self, numbers: list[str]) -> None:
        """Give up requests; nothing if the engine is gone."""
        with self._calls:
            if self.channel is not None and self.death is None:
                self.channel.abort(numbers)

    def close(self) -> None:
        """End the engine and its processes, from any thread; leave nothing.

        Its processes are killed: they have nothing to save, one that is dead or hung would never
        listen, and one that listens takes seconds.
        """
        self.death = self.death or CLOSED
        self._processes.unwatch()
        self._early.end_spares()
        self._processes.end()
        self._wake()
        # A call that computes in this process cannot be interrupted, and may hang.
        if self._calls.acquire(timeout=CLOSE_SECONDS):
            try:
                self._end_client()
            finally:
                self._calls.release()
        self._processes.end()  # it may have been starting some
        self._early.end()

    def _end_client(self) -> None:
        engine, self.engine, self.channel = self.engine, None, None
        shut_down, self._shut_down = self._shut_down, None
        if engine is not None and shut_down is not None:
            processes.run_bounded(shut_down, CLOSE_SECONDS)
            end_renderer = getattr(getattr(engine, "renderer", None), "shutdown", None)
            if end_renderer is not None:
                processes.run_bounded(end_renderer, CLOSE_SECONDS)

    def _is_gone(self) -> bool:
        resources = getattr(self.engine.engine_core, "resources", None)
        is_dead = getattr(resources, "engine_dead", False)
        return is_dead or self.death is not None or self._processes.has_died()

    def _require_alive(self) -> CoreChannel:
        if self.channel is None or self.death is not None:
            raise EngineError(f"engine died: {self.death or 'it was not started'}")
        return self.channel

    def _on_death(self) -> None:
        self._died(RuntimeError("See stack trace"))
        self._wake()

    def _died(self, error: Exception) -> EngineError:
        """Record that the engine is gone; the error with the reason."""
        if self.death is None:
            self.death = self._processes.killed_by() or failure_reasons.reason_of(error, *self._log)
        return EngineError(f"engine died: {failure_reasons.with_advice(self.death)}")

    def _wake(self) -> None:
        """Make a `receive` that waits for the engine core return, by an exception.

        Without this a killed engine core leaves it waiting for ever.
        """
        queue = self._outputs()
        if queue is not None:
            queue.put_nowait(EngineError("the engine is gone"))

    def _outputs(self) -> Any:
        """The queue of messages from an engine core in another process; None if there is none."""
        return getattr(getattr(self.engine, "engine_core", None), "outputs_queue", None)


def _children(engine: Any) -> list[Any]:
    """The engine core's processes; none where it works in this process."""
    manager = getattr(getattr(engine.engine_core, "resources", None), "engine_manager", None)
    return list(getattr(manager, "processes", ()))


def _take_over(engine: Any) -> Callable[[], object]:
    """Make vLLM's shutdown ours: when a process dies it would do that in a thread of its own,
    and close sockets that we may be using."""
    client = engine.engine_core
    resources: Callable[[], object] | None = getattr(client, "resources", None)
    finalizer = getattr(client, "_finalizer", None)
    if resources is not None and finalizer is not None and finalizer.detach() is not None:
        return resources
    shut_down: Callable[[], object] = client.shutdown
    return shut_down
