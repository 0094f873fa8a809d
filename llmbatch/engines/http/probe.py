"""A try of a server before the job's requests: does it keep what it is asked for?

Servers ignore fields that they do not know, with status 200. So a job with a constraint begins with
a question whose answer no model would give by chance, and a server that does not hold it to the
constraint is refused.
"""

import asyncio
import json
import secrets

from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Completed
from llmbatch.core.records import Constraint, Message, Request, Sampling
from llmbatch.engines.http import failures
from llmbatch.engines.http.answers import Answers, UnreadableError
from llmbatch.engines.http.bodies import Bodies, RefusedError
from llmbatch.engines.http.client import Client
from llmbatch.engines.http.connection import ExchangeError
from llmbatch.engines.http.failures import Fault
from llmbatch.engines.http.servers import Server, before_next_try

_TRIES = 8
_CONSONANTS = "bcdfghjkmnpqrstvwxz"
# Thinking comes first where a model thinks.
_TOKENS = 64
_THINKING_TOKENS = 4096


def require_held(
    constraint: Constraint, sampling: Sampling, *, thinks: bool
) -> tuple[Request, tuple[str, ...]]:
    """The question for such a constraint, and the answers that keep it. The sampling is that of the
    job, so that a server that does not take it says so now."""
    words = tuple("".join(secrets.choice(_CONSONANTS) for _ in range(6)) for _ in range(2))
    probe = {
        "choice": Constraint("choice", json.dumps(words)),
        "regex": Constraint("regex", "|".join(words)),
        "json": Constraint("json", json.dumps(_schema(words))),
    }[constraint.kind]
    drawn = Sampling(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        repetition_penalty=sampling.repetition_penalty,
        presence_penalty=sampling.presence_penalty,
        frequency_penalty=sampling.frequency_penalty,
        max_tokens=_THINKING_TOKENS if thinks else _TOKENS,
    )
    messages = (Message("user", "Which day comes after Monday?"),)
    return Request("0" * 32, messages, drawn, probe), words


def _schema(words: tuple[str, ...]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": {"day": {"type": "string", "enum": list(words)}},
        "required": ["day"],
        "additionalProperties": False,
    }


async def try_constraint(
    server: Server,
    client: Client,
    bodies: Bodies,
    reads: Answers,
    constraint: Constraint,
    sampling: Sampling,
    *,
    thinks: bool,
) -> None:
    """Raises EngineError for a server that does not hold answers to such a constraint."""
    request, words = require_held(constraint, sampling, thinks=thinks)
    text = await _answer(server, client, bodies, reads, request)
    if text is None:
        return
    if constraint.kind == "json":
        held = any(text.replace(" ", "").replace("\n", "") == f'{{"day":"{w}"}}' for w in words)
    else:
        held = text in words
    if not held:
        raise EngineError(
            f"{server.name} ignores the constraint ({constraint.kind}): asked for one of two words "
            f"it said {text[:40]!r}; use a server that keeps it, or have answers checked only: "
            "--constrain check"
        )


async def _answer(
    server: Server, client: Client, bodies: Bodies, reads: Answers, request: Request
) -> str | None:
    """The text of the answer; None where the server gave none, for whatever reason of its own."""
    try:
        call = bodies.call(request)
    except RefusedError as error:
        raise EngineError(f"{server.name}: {error}") from error
    for tries in range(1, _TRIES + 1):
        try:
            reply = await client.ask(server.target(client, call), call.body)
            if reply.status == 200:
                outcome = reads.outcome(request, reply.body, call)
                return outcome.text if isinstance(outcome, Completed) else None
        except (ExchangeError, UnreadableError):
            await _pause(tries)
            continue
        problem = failures.problem_of(reply.status, reply.headers, reply.body)
        if problem.fault in (Fault.SETTING, Fault.ROW):
            raise EngineError(f"{server.name} does not take this job's requests: {problem.text}")
        await _pause(tries, problem.wait)
    return None


async def _pause(tries: int, wait: float | None = None) -> None:
    await asyncio.sleep(before_next_try(tries) if wait is None else wait)
