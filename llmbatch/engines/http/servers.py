"""The servers of an engine: what they are, and which of them can be asked now."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tenacity import RetryCallState, wait_random_exponential

from llmbatch.core.errors import EngineError
from llmbatch.engines.http import answers, failures
from llmbatch.engines.http.bodies import Call
from llmbatch.engines.http.client import Client, Origin, Target
from llmbatch.engines.http.concurrency import Flow
from llmbatch.engines.http.connection import Broken, ExchangeError
from llmbatch.engines.http.dialect import OPENAI, VLLM
from llmbatch.engines.http.failures import Fault

# So many failures in a row, without an answer between them, and a server is left out for a while.
_AWAY_AFTER = 8
_RECHECK = wait_random_exponential(multiplier=0.25, max=5, min=0.1)
_AGAIN = wait_random_exponential(multiplier=0.05, max=10)


@dataclass(frozen=True, slots=True)
class Card:
    """All that a server tells of itself. `model`: its name there; `others`: further models."""

    kind: str
    model: str
    max_model_len: int | None = None
    version: str | None = None


@dataclass
class Server:
    """One server: its flow, and what became of the requests that it got."""

    number: int
    origin: Origin
    path: str
    flow: Flow
    card: Card | None = None
    answered: int = 0
    failed: int = 0
    failed_in_row: int = 0
    away_until: float | None = None
    away_times: int = 0
    is_probed: bool = False
    refusal: str | None = None
    last_error: str = ""
    cut: list[Any] = field(default_factory=list)
    targets: dict[tuple[str, bool], Target] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.origin.address.origin + self.path

    @property
    def root(self) -> str:
        """The path that vLLM's own endpoints are below."""
        return self.path.removesuffix("/v1")

    def target(self, client: Client, call: Call) -> Target:
        """The place of a call at this server."""
        known = self.targets.get((call.path, call.at_root))
        if known is None:
            below = (self.root if call.at_root else self.path) + call.path
            known = client.target(self.origin, below)
            self.targets[call.path, call.at_root] = known
        return known

    def room(self, now: float) -> int:
        """The number of requests that it may get now."""
        if self.refusal is not None:
            return 0
        if self.away_until is not None:
            is_due = now >= self.away_until and self.flow.in_flight == 0
            return 1 if is_due else 0
        return self.flow.room(now)

    def opens_at(self, now: float) -> float | None:
        """The time from which there may be room although nothing is answered."""
        if self.refusal is not None:
            return None
        if self.away_until is not None:
            return self.away_until if self.flow.in_flight == 0 else None
        return self.flow.opens_at(now)

    def heard(self) -> None:
        """It has answered something: it is there."""
        self.failed_in_row = 0
        self.away_times = 0
        self.away_until = None
        self.cut.clear()

    def stumbled(self, now: float, text: str, *, is_away: bool) -> bool:
        """It failed; true if it is left out for a while from here on. `is_away`: that is sure."""
        self.last_error = text
        self.failed_in_row += 1
        was_away = self.away_until is not None
        if not (is_away or was_away or self.failed_in_row >= _AWAY_AFTER):
            return False
        if self.away_until is None or now >= self.away_until:
            # The others of those in flight fail with it: they are no further sign.
            self.away_times += 1
            self.away_until = now + pause(_RECHECK, self.away_times)
        return not was_away


def pause(wait: Any, times: int) -> float:
    """Seconds to wait after so many failures in a row, with chance in them."""
    state = RetryCallState(None, None, (), {})  # type: ignore[arg-type]
    state.attempt_number = times
    return float(wait(state))


def before_next_try(tries: int) -> float:
    """Seconds before a request is sent again that has failed so often."""
    return pause(_AGAIN, tries)


async def meet(servers: Sequence[Server], client: Client, model: str, now: float) -> None:
    """Ask all servers what they are. Those that cannot be reached are left out for a while. Raises
    EngineError where none can be, and for one that cannot answer for this model."""
    found = await asyncio.gather(*(_ask(server, client, model) for server in servers))
    errors = [error for error in found if error is not None]
    for server, error in zip(servers, found, strict=True):
        if error is not None:
            server.stumbled(now, error, is_away=True)
    if len(errors) == len(servers):
        raise EngineError(f"no server answers: {errors[0]}")


async def _ask(server: Server, client: Client, model: str) -> str | None:
    """Learn what a server is; the reason why it cannot be reached, if it cannot."""
    try:
        reply = await client.get(server.origin, server.path + "/models")
    except ExchangeError as error:
        if error.how is Broken.LARGE:
            raise EngineError(f"{server.name}: is no server of models: {error}") from error
        return f"{server.name}: {error}"
    if reply.status != 200:
        problem = failures.problem_of(reply.status, reply.headers, reply.body)
        if problem.fault is Fault.SETTING:
            raise EngineError(f"{server.name} {problem.text}{_advice(reply.status)}")
        return f"{server.name} {problem.text}"
    cards = _listed(reply.body)
    if cards is None:
        raise EngineError(
            f"{server.name}: GET /models gave no list of models; is it a base URL, such as "
            "http://host:8000/v1?"
        )
    server.card = await _card(server, client, model, cards)
    return None


def _advice(status: int) -> str:
    if status in (401, 403):
        return ": name the variable that holds its key: --api-key-env NAME"
    if status == 404:
        return "; is it a base URL, such as http://host:8000/v1?"
    return ""


def _listed(body: bytes) -> list[dict[str, Any]] | None:
    try:
        data = answers.table(body).get("data")
    except answers.UnreadableError:
        return None
    if not isinstance(data, list):
        return None
    return [each for each in data if isinstance(each, dict) and isinstance(each.get("id"), str)]


async def _card(server: Server, client: Client, model: str, listed: list[dict[str, Any]]) -> Card:
    names = [each["id"] for each in listed]
    mine = next((each for each in listed if each["id"] == model), None)
    if mine is None and names:
        served = ", ".join(names[:8]) + (" and others" if len(names) > 8 else "")
        raise EngineError(
            f"{server.name} does not serve the model {model!r}: name one that it has with -m: "
            f"{served}"
        )
    told = mine or {}
    longest = told.get("max_model_len")
    version = await _version(server, client)
    is_vllm = told.get("owned_by") == "vllm" or version is not None
    return Card(
        VLLM if is_vllm else OPENAI,
        model,
        longest if isinstance(longest, int) and longest > 0 else None,
        version,
    )


async def _version(server: Server, client: Client) -> str | None:
    """The version of a server of vLLM's; None for others."""
    try:
        reply = await client.get(server.origin, server.root + "/version")
        version = answers.table(reply.body).get("version") if reply.status == 200 else None
    except (ExchangeError, answers.UnreadableError):
        return None
    return version if isinstance(version, str) else None


def require_alike(servers: Sequence[Server]) -> str:
    """The kind of all servers that are there. Raises EngineError for servers of different kinds: a
    request would mean another thing at each."""
    known = [server for server in servers if server.card is not None]
    first = known[0]
    assert first.card is not None
    for other in known[1:]:
        assert other.card is not None
        if first.card.kind != other.card.kind:
            raise EngineError(
                f"{first.name} is {_spoken(first.card.kind)} and {other.name} is "
                f"{_spoken(other.card.kind)}: give servers of one kind, or name it: "
                "--engine-arg dialect=openai"
            )
    return first.card.kind


def _spoken(kind: str) -> str:
    return "a vLLM" if kind == VLLM else "no vLLM"


def longest(servers: Sequence[Server]) -> int | None:
    """The longest sequence that all servers take; None where one does not tell."""
    cards = [server.card for server in servers if server.card is not None]
    told = [card.max_model_len for card in cards]
    lengths = [length for length in told if length is not None]
    return min(lengths) if lengths and len(lengths) == len(told) else None
