"""Engines of tests that are clients of servers."""

from typing import Any

from llmbatch.core.outcomes import Outcome
from llmbatch.core.records import ChatSettings, Constraint, Request
from llmbatch.engines.config import EngineConfig, Servers
from llmbatch.engines.http.engine import HttpEngine, create


def engine(
    *urls: str,
    model: str = "scripted",
    constraint: Constraint | None = None,
    chat: ChatSettings = ChatSettings(),  # noqa: B008
    stall_timeout: float = 300.0,
    **options: Any,
) -> HttpEngine:
    """An engine of these servers that is not started."""
    config = EngineConfig(
        model,
        options,
        chat=chat,
        constraint=constraint,
        stall_timeout=stall_timeout,
        servers=Servers(urls),
    )
    return create(config)


def answered(running: HttpEngine, *requests: Request) -> dict[str, Outcome]:
    """The outcomes by key; nothing may be lost."""
    found: dict[str, Outcome] = {}
    for outcome in running.run(requests):
        assert not hasattr(outcome, "keys")
        found[outcome.key] = outcome
    assert found.keys() == {request.key for request in requests}
    return found
