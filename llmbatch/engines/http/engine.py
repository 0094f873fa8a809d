"""Servers with OpenAI's interface: their models, asked over HTTP."""

import asyncio
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from llmbatch.constraints.backends import DEFAULT, copy_for
from llmbatch.core import clock
from llmbatch.core.errors import EngineError, LlmbatchError, UsageError
from llmbatch.core.outcomes import Lost, Outcome
from llmbatch.core.records import Constraint, Message, Request, Sampling
from llmbatch.engines.base import Telemetry
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.http import (
    asks,
    bodies,
    dialect,
    known_model,
    options,
    preparing,
    probe,
    servers,
)
from llmbatch.engines.http.addresses import Address
from llmbatch.engines.http.answers import Answers
from llmbatch.engines.http.bodies import Bodies
from llmbatch.engines.http.client import Client, ClientSettings
from llmbatch.engines.http.concurrency import Flow
from llmbatch.engines.http.counters import Counters
from llmbatch.engines.http.dialect import Dialect
from llmbatch.engines.http.dispatcher import Dispatcher
from llmbatch.engines.http.flight import Flight
from llmbatch.engines.http.key import Key
from llmbatch.engines.http.loop_thread import CLOSED, LoopThread
from llmbatch.engines.http.options import MIB, HttpOptions
from llmbatch.engines.http.servers import Server
from llmbatch.engines.info import EngineInfo
from llmbatch.engines.pooling import Pooling, pooling_of

_REFUSES = "the servers' interface refuses this job's requests"
_STALL_SHARE = 0.8
WINDOW_FACTOR = 2


def create(config: EngineConfig) -> "HttpEngine":
    """Check the options and URLs; ask nothing of any server. Raises UsageError."""
    if config.servers is None or not config.servers.urls:
        raise UsageError(
            "--engine openai: name a server: --base-url URL, such as http://localhost:8000/v1"
        )
    return HttpEngine(config, options.check(config.options))


class HttpEngine:
    """See `llmbatch.engines.base.Engine` for what it promises."""

    def __init__(self, config: EngineConfig, given: HttpOptions) -> None:
        assert config.servers is not None
        self._config = config
        self._options = given
        self._addresses = [_parsed(url) for url in config.servers.urls]
        given.trust.check(self._addresses)
        self._key = Key.from_environment(config.servers.key_variable, given.trust.secrets())
        self._window = WINDOW_FACTOR * given.max_concurrency * len(self._addresses)
        self._counters = Counters()
        self._closing = threading.Lock()
        self._thread: LoopThread | None = None
        self._client: Client | None = None
        self._end = "it was not started"
        self._sampling: Sampling | None = None
        self._has_prefill = False
        self._servers: list[Server] = []
        self._flight: Flight | None = None
        self._info = EngineInfo()
        self._twin = known_model.twin(config)
        self._asks = None if config.ask is None else asks.make(config, self._numbers_here())

    def _numbers_here(self) -> Pooling | None:
        """The way to numbers by the files of the model, where they are here."""
        try:
            return None if self._twin is None else pooling_of(self._twin)
        except UsageError:
            return None

    def identity(self) -> dict[str, str]:
        return {"model": self._config.model, "served": "openai"}

    def check(self, sampling: Sampling, constraint: Constraint | None) -> None:
        self._sampling = sampling
        if self._options.dialect != "auto":
            self._require(self._dialect(self._options.dialect))
        if constraint is None:
            return
        try:
            copy_for(constraint, DEFAULT)
            bodies.structured(constraint)
        except (LlmbatchError, ValueError) as error:
            raise UsageError(f"{_REFUSES}: {error}") from error

    def _require(self, spoken: Dialect) -> None:
        """Raises UsageError for what servers of this kind would ignore."""
        refusal = spoken.chat_refusal(self._config.chat)
        if refusal is None and self._sampling is not None:
            refusal = spoken.refusal(self._sampling)
        if refusal is None and self._has_prefill and not spoken.is_vllm:
            refusal = bodies.NO_PREFILL
        if refusal is not None:
            raise UsageError(f"{_REFUSES}: {refusal}")

    def _dialect(self, name: str) -> Dialect:
        return dialect.make(name, self._options.extra_fields, self._options.length_field)

    def encode(self, messages: Sequence[Message]) -> list[int] | None:
        return None if self._twin is None else self._twin.encode(messages)

    def control_tokens(self) -> Sequence[str] | None:
        return None if self._twin is None else self._twin.control_tokens()

    def pooling(self) -> Pooling | None:
        return None if self._asks is None else self._asks.pooling()

    def try_chats(self, chats: Sequence[Sequence[Message]]) -> list[str]:
        self._has_prefill = any(chat[-1].role == "prefill" for chat in chats)
        return []

    def why_not_encoded(self) -> str | None:
        return "the tokenizer is the server's" if self._twin is None else None

    def __enter__(self) -> Self:
        with self._closing:
            self._thread = thread = LoopThread()
        try:
            thread.call(self._start())
        except BaseException as error:
            self.close()
            if isinstance(error, UsageError):
                raise EngineError(str(error)) from error
            raise
        return self

    async def _start(self) -> None:
        self._client = client = Client(self._client_settings())
        self._servers = [
            Server(number, client.origin(each), each.path, Flow(self._options.max_concurrency))
            for number, each in enumerate(self._addresses)
        ]
        now = clock.seconds()
        await servers.meet(self._servers, client, self._config.model, now)
        spoken = self._dialect(self._spoken())
        self._require(spoken)
        config = self._config
        self._bodies = Bodies(config.model, config.chat, spoken)
        self._reads = Answers(config.chat, servers.longest(self._servers))
        await self._probe(client)
        if self._asks is not None:
            await preparing.prepare(self._asks, self._servers, client, is_vllm=spoken.is_vllm)
        self._info = self._described(spoken)

    def _spoken(self) -> str:
        if self._options.dialect != "auto":
            return self._options.dialect
        return servers.require_alike(self._servers)

    async def _probe(self, client: Client) -> None:
        constraint = self._config.constraint
        if constraint is None or self._config.ask is not None:
            return
        thinks = self._config.chat.thinking not in (None, "off")
        tries = (
            probe.try_constraint(
                server,
                client,
                self._bodies,
                self._reads,
                constraint,
                self._sampling or Sampling(),
                thinks=thinks,
            )
            for server in self._servers
            if server.card is not None
        )
        await asyncio.gather(*tries)

    def _client_settings(self) -> ClientSettings:
        given = self._options
        return ClientSettings(
            given.timeout or _STALL_SHARE * self._config.stall_timeout,
            given.connect_timeout,
            given.max_answer_mib * MIB,
            self._key,
            given.trust,
        )

    def _described(self, spoken: Dialect) -> EngineInfo:
        cards = [server.card for server in self._servers if server.card is not None]
        versions = sorted({card.version for card in cards if card.version})
        return EngineInfo(
            name="openai",
            version=", ".join(versions) or None,
            model=self._config.model,
            window=self._window,
            max_model_len=servers.longest(self._servers),
            settings={"servers": len(self._servers), "dialect": spoken.name}
            | ({} if (pooling := self.pooling()) is None else {"pooling": pooling.to_json()}),
        )

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections and the thread. From another thread it also ends a `run`."""
        with self._closing:
            thread, self._thread = self._thread, None
            if thread is None:
                return
            self._end = "it was closed"
            thread.close(self._close_client)
            if self._flight is not None:
                self._flight.put([EngineError(CLOSED)])
            self._counters.rest()

    async def _close_client(self) -> None:
        if self._client is not None:
            self._client.close()

    def run(self, requests: Iterable[Request | None]) -> Iterator[Outcome | Lost]:
        thread, client = self._thread, self._client
        if thread is None or client is None:
            raise EngineError(f"engine died: {self._end}")
        flight = self._flight = Flight(
            requests, thread, self._asks or self._bodies, self._counters, self._window
        )
        dispatcher = Dispatcher(
            client,
            self._servers,
            self._asks or self._reads,
            flight.put,
            self._counters,
            self._options.patience,
        )
        self._counters.begin(clock.seconds())
        try:
            yield from flight.outcomes(dispatcher)
        finally:
            if self._thread is thread:
                thread.call(dispatcher.end())
            self._counters.rest()

    run_with_pauses = run

    def describe(self) -> EngineInfo:
        if self._thread is None:
            raise EngineError("the engine is not started")
        return self._info

    def telemetry(self) -> Telemetry:
        return self._counters.telemetry()


def _parsed(url: str) -> Address:
    try:
        return Address.parsed(url)
    except ValueError as error:
        raise UsageError(f"--base-url {error}") from error
