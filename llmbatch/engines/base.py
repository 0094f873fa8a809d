"""The engine seam: requests in, outcomes out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from llmbatch.core.outcomes import Outcome
from llmbatch.core.records import Constraint, Message, Request, Sampling


@dataclass(frozen=True)
class EngineConfig:
    """What an engine is built from.

    `options` are the engine's own, as the user wrote them;
    `log_path` is where the engine's own noise goes (None: leave it alone).
    """

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    log_path: str | None = None


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Counters since the engine started, and its present load.

    `cached_tokens`: the part of `prompt_tokens` served by the prefix cache; `cache_usage` in
    0..1; `idle_seconds`: time in which a run was open and the engine had nothing to do.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    running: int = 0
    waiting: int = 0
    cache_usage: float = 0.0
    preemptions: int = 0
    steps: int = 0
    idle_seconds: float = 0.0


class Engine(Protocol):
    """A thing that answers requests. The contract, held by one suite over every engine:

    0. Building it checks the options and the model's path (UsageError) and loads nothing;
       `identity()` names everything about the model that can change an answer, so that it can
       be part of a request's key before the engine is started, or when it never is.
       `check` raises UsageError when no request with this sampling and constraint could be
       answered; it loads no model.
    1. A context manager. `__enter__` starts it and raises EngineError when it cannot start;
       `close` is idempotent and leaves no process behind.
    2. `run` pulls a request only when its window has room.
    3. Exactly one outcome per request pulled, carrying its key, in any order.
    4. A bad request is an outcome (`Failed`), never an exception; EngineError means that the
       engine is gone.
    5. When the iterator ends, `run` drains and returns; when its generator is closed, it aborts
       what is in flight and leaves nothing running.
    6. `describe()`: versions, device, dtype, parallelism, window, memory; kept with the run.
    7. `telemetry()` may be called at any time while the engine is open, from any thread, also
       while `run` is stuck. `steps` changes whenever the engine has done something: an engine
       with requests in flight whose telemetry stays the same is hung.
    8. `close` may be called from another thread while the engine starts, or while `run` waits or
       works: that raises EngineError soon, and is no reason to wait for what is in flight.
    9. After an engine has died or was closed, another one can be built and started in the same
       process. Nothing of the former one is left.
    10. `encode` gives the token ids that `run` would send for a prompt, also before the engine is
       started, and loads no model; None where the tokenizer cannot be had without one. Raises
       ValueError for messages that cannot be encoded.
    """

    def identity(self) -> dict[str, str]: ...

    def check(self, sampling: Sampling, constraint: Constraint | None) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def close(self) -> None: ...

    def encode(self, messages: Sequence[Message]) -> Sequence[int] | None: ...

    def run(self, requests: Iterable[Request]) -> Iterator[Outcome]: ...

    def describe(self) -> dict[str, Any]: ...

    def telemetry(self) -> Telemetry: ...
