"""The engine seam: requests in, outcomes out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol, Self, runtime_checkable

from llmbatch.core.outcomes import Lost, Outcome
from llmbatch.core.records import Constraint, Message, Request, Sampling
from llmbatch.core.speculation import Speculation
from llmbatch.core.step_cost import StepMoments
from llmbatch.engines.grammar_plan import GrammarPlan
from llmbatch.engines.info import EngineInfo
from llmbatch.sizing.device import Device
from llmbatch.sizing.dimensions import Shape
from llmbatch.sizing.settings import EngineSettings


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Counters since the engine started, and its present load.

    Every engine reports

    - `prompt_tokens`, `cached_tokens` (those of them that the prefix cache served) and
      `output_tokens`, of an outcome when it gives it at the latest;
    - `running` and `waiting`: the requests in flight that are computed, and those that wait for it.
      Where it cannot tell them apart, all are running;
    - `idle_seconds`: a run was open, and the engine had nothing to do and waited for the feed. Time
      for which it is held back is not idle: it does not wait for us;
    - `held_back_until` (seconds of `core.clock`): until then the engine may not work and is not
      hung; at most `LONGEST_HOLD` ahead. None: it is not held back.

    The others stay 0 where they are unknown: `cache_usage` in 0..1; `preemptions`: how often a
    running request lost its place in the cache, and `recomputed_tokens`: what had to be computed
    again for that; `spared_tokens`: output tokens that at least would have been drawn for answers
    whose rest was known; `speculation`: tokens that were drafted ahead.

    An engine without steps, such as a client of a server, leaves all that is counted in steps at 0:
    reports and forecasts then say nothing of batches. `steps` themselves; `starved_steps`: those
    with room for another request, none of which waited in the engine, although the feed had more;
    `sequences`: summed over the steps, so that `sequences / steps` is the mean size of a batch;
    `moments`: what the steps took and did, from which the weights of tokens are learned.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    running: int = 0
    waiting: int = 0
    cache_usage: float = 0.0
    preemptions: int = 0
    recomputed_tokens: int = 0
    spared_tokens: int = 0
    steps: int = 0
    starved_steps: int = 0
    sequences: int = 0
    idle_seconds: float = 0.0
    moments: StepMoments = field(default_factory=StepMoments)
    speculation: Speculation = field(default_factory=Speculation)
    held_back_until: float | None = None

    def held_back_seconds(self, now: float) -> float | None:
        """Seconds from `now` (of `core.clock`) for which the engine is held back; None if it is not
        or claims more than is believed."""
        left = (self.held_back_until or now) - now
        return left if 0 < left <= LONGEST_HOLD else None

    def after(self, past: "Telemetry") -> "Telemetry":
        """The sum of the counters of both, with the load of this one, which is the later one."""
        counters = [each.name for each in fields(Telemetry) if each.name not in LOAD]
        return replace(
            self, **{name: getattr(past, name) + getattr(self, name) for name in counters}
        )


LOAD = frozenset({"running", "waiting", "cache_usage", "held_back_until"})
"""The fields of a Telemetry that are present load; all others add up over engines."""
LONGEST_HOLD = 3600.0
"""Seconds; an engine that claims to be held back for longer is not believed."""


class Engine(Protocol):
    """Answers requests. One suite of tests holds every engine to this contract, and
    `tests/contracts/minimal_engine.py` is the least that keeps it:

    0. Building it raises UsageError for an option that it does not have or cannot read, and for a
       model's path where nothing is; it loads nothing.
       `identity()` (not empty) names everything about the model that can change an answer, so that
       it can be part of a request's key before the engine is started, or when it never is. It may
       be asked for in a thread of its own.
       `check` raises UsageError when no request with this sampling and constraint could be
       answered; it loads no model. A constraint that it accepts is kept by the answers.
    1. A context manager. `__enter__` starts it and raises EngineError when it cannot start;
       `close` is idempotent and leaves no process behind. Only a started engine runs.
    2. `run` pulls a request only when its window, a number that never grows, has room, and none
       before its first outcome is wanted.
    3. For each request pulled exactly one outcome, carrying its key, in any order; or its key in
       a `Lost`: a part of the engine, such as a replica, has died with the request in flight, and
       the rest goes on. That is no failure of the request. What is settled or lost may come again
       in the same feed.
       A part that dies of every request is left out, or the engine is gone.
    4. A request that cannot be answered is an outcome (`Failed`, of one of the `FAILURE_KINDS` and
       with a message of one line), never an exception; EngineError means that the engine is gone.
       One that was refused before anything of it was computed has used no tokens
       (an empty `Usage`): they would be paid for, attributed and taken for speed. An answer that
       was cut is `Completed` and says by what ("length" or "context"), since more `max_tokens`
       help only against the first; one that was ended for repeating itself, as the sampling may
       ask for, says "repetition". Its text begins with the request's own `prefill`, which counts as
       prompt. An engine that knows its `max_model_len` fails a prompt without room as `too_long`.
    5. When the iterator ends, `run` drains and returns; when its generator is closed, it aborts
       what is in flight and leaves nothing running. An exception of the feed ends the run only.
    6. `describe()` reports the settings of the started engine, which are kept with the run as JSON.
       Every field of an `EngineInfo` may be left out.
    7. `telemetry()` may be called at any time while the engine is open, from any thread, also
       while `run` is stuck. An engine with requests in flight that gives no outcome, and whose
       telemetry stays the same, is hung, unless it is held back (`held_back_until`), such as by a
       server's rate limit. So `steps` changes with each step; an engine without steps may count the
       tokens of an answer as they arrive. Where it cannot, an answer that takes longer than the
       run's `stall_timeout` is taken for a hang.
    8. `close` may be called from another thread while the engine starts, or while `run` waits or
       works: that raises EngineError soon, and is no reason to wait for what is in flight.
    9. After an engine has died or was closed, another one can be built and started in the same
       process. Nothing remains of the former one.
    10. `encode` gives the token ids that `run` would send for a prompt, as many as `Usage.prompt`
       counts, also before the engine is started, and loads no model; None where the tokenizer
       cannot be had without one. Raises ValueError for messages that cannot be encoded.
    """

    def identity(self) -> dict[str, str]: ...

    def check(self, sampling: Sampling, constraint: Constraint | None) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def close(self) -> None: ...

    def encode(self, messages: Sequence[Message]) -> Sequence[int] | None: ...

    def run(self, requests: Iterable[Request]) -> Iterator[Outcome | Lost]: ...

    def describe(self) -> EngineInfo: ...

    def telemetry(self) -> Telemetry: ...


@runtime_checkable
class ChecksAhead(Protocol):
    """An engine whose `check` takes long, and can do a part of it at once. Optional."""

    def check_ahead(self, sampling: Sampling, constraint: Constraint | None) -> None:
        """The part of `check`, which it begins with, that imports nothing of the engine's. Raises
        UsageError as `check` does."""
        ...


def check_ahead(engine: Engine, sampling: Sampling, constraint: Constraint | None) -> None:
    """All of an engine's `check` that can be done at once. Raises UsageError as `check` does."""
    check = engine.check_ahead if isinstance(engine, ChecksAhead) else engine.check
    check(sampling, constraint)


@runtime_checkable
class TakesPauses(Protocol):
    """An engine that goes on while its feed has nothing ready. Optional: as a replica, whose
    requests arrive bit by bit, one that cannot drains whenever it has none left."""

    def run_with_pauses(self, requests: Iterable[Request | None]) -> Iterator[Outcome | Lost]:
        """As `run`. The feed gives None when no request is ready and others are in flight: the
        engine goes on with those, and asks again."""
        ...


@runtime_checkable
class HasNotices(Protocol):
    """An engine that has notices for the user before it is started. Optional."""

    def notices(self) -> list[str]:
        """Lines for the user, such as that its software was never tested with ours."""
        ...


def notices_of(engine: Engine) -> list[str]:
    """The lines that an engine has for the user before it is started; most have none."""
    return engine.notices() if isinstance(engine, HasNotices) else []


@runtime_checkable
class KnowsGrammar(Protocol):
    """An engine that knows before it is started how it holds answers to a constraint. Optional.
    `describe` of the started engine has it for the constraint of its `EngineConfig`, as
    `GrammarPlan.to_json` under `grammar` in its settings."""

    def grammar(self, constraint: Constraint) -> GrammarPlan | None:
        """Its plan; None if that cannot be known. Raises UsageError, as `check` does, when no
        request with this constraint could be answered."""
        ...


def grammar_of(engine: Engine, constraint: Constraint | None) -> GrammarPlan | None:
    """The plan of an engine for a constraint; None if it does not say."""
    if constraint is None or not isinstance(engine, KnowsGrammar):
        return None
    return engine.grammar(constraint)


@runtime_checkable
class KnowsSettings(Protocol):
    """An engine that knows some of its settings before it is started. Optional; else its options
    are taken as given."""

    def settings_before_start(self) -> EngineSettings:
        """The settings of cache and batches that `describe` would report, as far as known."""
        ...


def settings_before_start(engine: Engine, options: Mapping[str, Any]) -> EngineSettings:
    """The settings that are known of an engine with these options before it is started."""
    if isinstance(engine, KnowsSettings):
        return engine.settings_before_start()
    return EngineSettings.from_options(options)


@runtime_checkable
class KnowsModel(Protocol):
    """An engine that knows before it is started how large its model is, and for which device.
    Optional. Nothing is loaded; each is None where it is not known. `describe` of the started
    engine reports the same as `shape`, `weight_bytes` and `hardware`."""

    def shape(self) -> Shape | None:
        """The model's sizes, by its configuration and the engine's options."""
        ...

    def weight_bytes(self) -> int | None:
        """Bytes of the weights in the memory of all devices, by their files."""
        ...

    def device(self) -> Device | None:
        """The device that the engine would run on, and how many of it."""
        ...


@runtime_checkable
class KnowsControlTokens(Protocol):
    """An engine that knows before it is started which control tokens its model has. Optional; where
    they are not known, rows that hold them are not counted, and cannot be rejected.

    The text of a message is never a control token, in any engine that can tell them apart."""

    def control_tokens(self) -> Sequence[str] | None:
        """Their texts, such as <|im_end|>; None where they are not known. Nothing is loaded. May be
        asked for in a thread of its own."""
        ...


def control_tokens_of(engine: Engine) -> tuple[str, ...] | None:
    """The control tokens of an engine's model; None where they are not known."""
    known = engine.control_tokens() if isinstance(engine, KnowsControlTokens) else None
    return None if known is None else tuple(known)


@runtime_checkable
class TriesChats(Protocol):
    """An engine that can turn chats into prompts before it is started. Optional; it loads at most a
    tokenizer for that."""

    def try_chats(self, chats: Sequence[Sequence[Message]]) -> list[str]:
        """Notices for the user. Raises UsageError for a chat template that refuses them all or
        leaves out a part of one, and for a variable that it ignores (see ChatSettings)."""
        ...

    def why_not_encoded(self) -> str | None:
        """The reason why `encode` gives None; None where it does not."""
        ...


def try_chats(engine: Engine, chats: Sequence[Sequence[Message]]) -> list[str]:
    """The notices of an engine about such chats; none where it cannot try them, or there are none.
    Raises UsageError as `TriesChats` says."""
    return engine.try_chats(chats) if chats and isinstance(engine, TriesChats) else []


def why_not_encoded(engine: Engine) -> str | None:
    """The reason why an engine cannot encode prompts before its start; None if it has none."""
    return engine.why_not_encoded() if isinstance(engine, TriesChats) else None


@runtime_checkable
class Tunable(Protocol):
    """An engine that knows which of its options are worth trying for speed. Optional."""

    def alternatives(self, info: EngineInfo, requests: int) -> dict[str, list[Any]]:
        """Values to try, by option, the most promising option first.

        `info`: as `describe` reported it while this engine was open; `requests`: how many requests
        there are to see a difference by. None of the values can change an answer.
        """
        ...
