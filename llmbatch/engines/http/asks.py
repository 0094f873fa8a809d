"""Requests for something else than a text, to servers: vectors, scores, classes, labels."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from llmbatch.core.errors import UsageError
from llmbatch.core.outcomes import Outcome
from llmbatch.core.records import Request
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.http.bodies import Call
from llmbatch.engines.http.embeddings import Embeddings
from llmbatch.engines.http.heads import Heads
from llmbatch.engines.http.labels import Labels
from llmbatch.engines.http.scores import Scores
from llmbatch.engines.pooling import Pooling

Post = Callable[[Call], Awaitable[dict[str, Any]]]
"""Sends a call to one server. Raises EngineError with a line for any answer but a good one."""


class Asks(Protocol):
    """Makes the calls of a job's requests, and reads their answers."""

    def call(self, request: Request) -> Call:
        """Raises RefusedError for what the server cannot take."""
        ...

    def outcome(self, request: Request, body: bytes, call: Call) -> Outcome | Call:
        """The outcome in an answer, or a further call that the request takes. Raises
        UnreadableError."""
        ...

    async def prepare(self, post: Post, *, is_vllm: bool) -> None:
        """Learn from a server, before any request, what the job's answers will be. Raises
        EngineError for one that cannot give them, or gives others than those before it."""
        ...

    def pooling(self) -> Pooling | None:
        """The way in which numbers are made, as far as it is known by now."""
        ...


def make(config: EngineConfig, known: Pooling | None) -> Asks:
    """For the ask of a job. `known`: what the files of the model say, where they are here. Raises
    UsageError for what no server is asked."""
    ask = config.ask
    assert ask is not None
    if ask.pooling is not None:
        raise UsageError("--pooling: how the model pools is the server's matter: leave it out")
    if ask.prompt_name is not None and known is None:
        raise UsageError(
            "--prompt-name: the model's prompts are in its files, which are not here: write the "
            "words into --prompt, or give the model's folder with -m"
        )
    if ask.kind == "labels":
        return Labels(config.model, ask, config.chat)
    if ask.overflow == "split" or (ask.kind == "score" and ask.overflow != "fail"):
        raise UsageError(
            f"--overflow {ask.overflow}: only an engine on this machine can do that; over servers "
            "a text that is too long fails"
            + ("" if ask.kind == "score" else ", or is cut (truncate)")
        )
    if ask.kind == "score":
        return Scores(config.model, ask, known)
    if ask.kind == "heads":
        return Heads(config.model, ask, known)
    return Embeddings(config.model, ask, known)
