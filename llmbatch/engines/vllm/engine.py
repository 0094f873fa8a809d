"""vLLM here or in a child process: prompts go in as token ids, answers are decoded at their end."""

import gc
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TextIO

from llmbatch.constraints.backends import DEFAULT
from llmbatch.core.errors import EngineError, UsageError
from llmbatch.core.outcomes import Outcome
from llmbatch.core.records import Constraint, Message, Request, Sampling
from llmbatch.engines import control_tokens, model_files, pooling_heads
from llmbatch.engines.base import Telemetry
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.grammar_plan import GrammarPlan
from llmbatch.engines.info import EngineInfo
from llmbatch.engines.speculates import Drafting
from llmbatch.engines.vllm import (
    ahead,
    defaults,
    early_end,
    engine_log,
    failure_reasons,
    grammar,
    identity,
    in_flight,
    leftovers,
    levers,
    processes,
    reasoning,
    sizes,
    speculation,
    start,
    thinking_switch,
    versions,
    waiting,
)
from llmbatch.engines.vllm import options as vllm_options
from llmbatch.engines.vllm.adapters import Adapters
from llmbatch.engines.vllm.chat_tokenizer import ChatTokenizer
from llmbatch.engines.vllm.client import Client
from llmbatch.engines.vllm.early_start import EarlySlot
from llmbatch.engines.vllm.in_flight import InFlight, VllmSession
from llmbatch.engines.vllm.prompt_reader import PromptReader
from llmbatch.engines.vllm.sampling import Parameters, check_parameters, takes_seeds
from llmbatch.engines.vllm.stats import Stats
from llmbatch.sizing.device import Device
from llmbatch.sizing.dimensions import Shape
from llmbatch.sizing.model_config import shape_of
from llmbatch.sizing.settings import EngineSettings


def create(config: EngineConfig) -> "VllmEngine":
    """Check the options and the model's path; load nothing. Raises UsageError."""
    options = vllm_options.check(config.options)
    return VllmEngine(config, options, model_files.local_folder(config.model))


class VllmEngine:
    """See `llmbatch.engines.base.Engine` for what it promises."""

    _flight: type[InFlight] = InFlight

    def __init__(
        self, config: EngineConfig, options: Mapping[str, Any], folder: Path | None
    ) -> None:
        self._config = config
        self._options = dict(options)
        self._folder = folder
        self._identity: dict[str, str] | None = None
        self._client: Client | None = None
        self._early = EarlySlot()
        self._session: VllmSession | None = None
        self._closing = threading.RLock()
        self._end = "it was not started"
        self._log: TextIO | None = None
        self._log_start = 0
        self._stats = Stats(0)
        self._backend = DEFAULT
        self._reader = PromptReader(config, folder, self._options)
        self._adapters = Adapters(config.adapters, folder, self._options)

    def identity(self) -> dict[str, str]:
        if self._identity is None:
            kept = speculation.without(self._options, drawn=self._config.drawn)
            self._identity = identity.of(self._config.model, self._folder, self._options, kept)
        return dict(self._identity)

    def check_ahead(self, sampling: Sampling, constraint: Constraint | None) -> None:
        config = self._configuration()
        pooling_heads.require_none(config or {})
        ahead.check(self._options, config, sampling, constraint)
        self._reader.check_labels()

    def check_device(self) -> None:
        ahead.check_device(self._options, self._configuration(), self._folder)

    def check(self, sampling: Sampling, constraint: Constraint | None) -> None:
        self.check_ahead(sampling, constraint)
        if not vllm_options.is_installed():
            return  # the start reports what is missing
        versions.require_known()
        backend = grammar.backend_for(self._options, constraint)
        self._open_log()
        start.set_environment(local=self._folder is not None)
        try:
            with processes.output_to(self._log):
                check_parameters(sampling, constraint, backend)
        except versions.MISMATCHES as error:
            raise versions.mismatch(error) from error
        except Exception as error:  # vLLM's own kinds of error are many
            raise UsageError(f"{ahead.REFUSES}: {error}") from error

    def grammar(self, constraint: Constraint) -> GrammarPlan | None:
        return grammar.plan_for(self._options, constraint) if vllm_options.is_installed() else None

    def encode(self, messages: Sequence[Message]) -> list[int] | None:
        return self._reader.encode(messages)

    def try_chats(self, chats: Sequence[Sequence[Message]]) -> list[str]:
        return self._reader.try_chats(chats)

    def why_not_encoded(self) -> str | None:
        return self._reader.why_not_encoded()

    def __enter__(self) -> Self:
        if not vllm_options.is_installed():
            raise EngineError(versions.NOT_INSTALLED)
        versions.require_known()
        options = thinking_switch.with_parser(self._options, self._config.chat)
        options |= identity.pinned(self._folder, self.identity())
        leftovers.sweep()
        self.begin_early()
        log = self._config.log_path, self._log_start
        client = self._client = Client(*log, self._early.taken())
        try:
            with processes.output_to(self._log):
                self._start(client, options)
            processes.log_to(self._log)
        except BaseException as error:
            with processes.output_to(self._log):
                client.close()  # also when another thread has closed it before its time
            self.close()
            if not isinstance(error, Exception):
                raise
            raise failure_reasons.of_start(error, *log) from error
        return self

    def begin_early(self) -> None:
        if self._client is None and vllm_options.is_installed():
            self._open_log()
            self._early.begin(self._options, self._log, local=self._folder is not None)

    def end_early(self) -> None:
        self._early.end()

    def _open_log(self) -> None:
        if self._config.log_path is not None and self._log is None:
            self._log = engine_log.opened(self._config.log_path)
            self._log_start = self._log.tell()

    def _start(self, client: Client, options: dict[str, Any]) -> None:
        model = str(self._folder) if self._folder is not None else self._config.model
        further = self._adapters.options(options) | self._further(options)
        measured = start.sizes(self)  # before the imports: measuring a CPU takes 32 MiB and more
        client.start(model, further, local=self._folder is not None)
        self._adapters.load(client.engine)
        described = start.description(client.engine, options) | client.way
        described["window"] = in_flight.WINDOW_FACTOR * described["max_num_seqs"]
        described |= self._described(client, options)
        self._info = EngineInfo.from_json(described | measured)
        self._session = self._make_session(client, described, options)
        client.engine.get_supported_tasks()  # kept: later it could hang on a dead core
        # What was imported stays: looking through it again and again costs more than a request.
        gc.collect()
        gc.freeze()

    def _further(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options that follow from what the requests ask for."""
        self._backend = grammar.backend_for(options, self._config.constraint)
        return {"structured_outputs_config": grammar.config(options, self._backend)}

    def _described(self, client: Client, options: Mapping[str, Any]) -> dict[str, Any]:
        """The settings for what requests ask for, as the started engine has them."""
        return grammar.described(options, self._config.constraint)

    def _make_session(
        self, client: Client, described: Mapping[str, Any], options: Mapping[str, Any]
    ) -> VllmSession:
        device = client.engine.vllm_config.device_config.device_type
        own = client.engine.get_tokenizer()
        tokenizer = ChatTokenizer(own, self._config.chat)
        parameters = Parameters(
            seeds_allowed=takes_seeds(device, chunked_prefill=described["chunked_prefill"]),
            detokenize=not tokenizer.decodes,
            into=client.make_template,
            backend=self._backend,
            thinking=thinking_switch.budget(self._config.chat),
        )
        self._stats = Stats.of(described)
        return VllmSession(
            client,
            tokenizer,
            parameters,
            self._stats,
            reasoning.make(options, own, tokenizer),
            early_end.make(client.engine, self._backend, self._config.constraint),
            max_model_len=described["max_model_len"],
            window=described["window"],
            room=waiting.Room.of(described),
            adapters=self._adapters,
            takes_turns=bool(self._adapters) and device == "cpu",
            ahead=self._reader.ahead,
        )

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the engine and its processes. From another thread it also ends a waiting `run`."""
        with self._closing:  # a second caller returns when all is done
            client = self._client
            self.end_early()
            if client is None:
                return
            with processes.output_to(self._log):
                client.close()
            self._end, self._client, self._session = client.death or self._end, None, None
            # The memory of the engine is freed now, not when the next one is started.
            gc.unfreeze()
            gc.collect()

    def run(self, requests: Iterable[Request | None]) -> Iterator[Outcome]:
        session = self._session
        if session is None:
            raise EngineError(f"engine died: {self._end}")
        self._stats.begin()
        try:
            for turn in session.turns(requests):
                yield from self._turn(session, turn)
        finally:
            self._stats.rest()

    run_with_pauses = run

    def _turn(self, session: VllmSession, requests: Iterable[Request | None]) -> Iterator[Outcome]:
        flight = self._flight(session, requests)
        try:
            yield from flight.outcomes()
        finally:
            flight.abort()

    def describe(self) -> EngineInfo:
        if self._client is None:
            raise EngineError("the engine is not started")
        return self._info

    def control_tokens(self) -> tuple[str, ...] | None:
        model, commit = self._config.model, self._commit()
        return control_tokens.of_engine(model, self._folder, commit, self._options)

    def shape(self) -> Shape | None:
        config = self._configuration()
        return None if config is None else shape_of(config)

    def weight_bytes(self) -> int | None:
        config = self._configuration()
        return sizes.weight_bytes(self._config.model, self._folder, self._commit(), config)

    def device(self) -> Device | None:
        return sizes.device(self._options)

    def _configuration(self) -> dict[str, Any] | None:
        model, commit = self._config.model, self._commit()
        return sizes.configuration(model, self._folder, commit, self._options)

    def _commit(self) -> str | None:
        return None if self._folder is not None else self.identity().get("revision")

    def notices(self) -> list[str]:
        own = versions.notices() + speculation.notices(self._options, drawn=self._config.drawn)
        return own + self._adapters.notices(self._config.model)

    def settings_before_start(self) -> EngineSettings:
        return defaults.settings_before_start(self._options)

    def alternatives(self, info: EngineInfo, requests: int) -> dict[str, list[Any]]:
        return levers.alternatives_here(info, requests)

    def drafting(self) -> tuple[Drafting, list[str]]:
        return speculation.drafting(self._options, drawn=self._config.drawn)

    def draft_tokens(self) -> int:
        return speculation.draft_tokens(self._options)

    def telemetry(self) -> Telemetry:
        return self._stats.telemetry()
