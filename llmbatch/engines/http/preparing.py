"""Servers that are asked before any request what their answers will be."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from llmbatch.core.errors import EngineError
from llmbatch.engines.http import answers, failures
from llmbatch.engines.http.asks import Asks
from llmbatch.engines.http.bodies import Call
from llmbatch.engines.http.client import Client
from llmbatch.engines.http.connection import ExchangeError
from llmbatch.engines.http.failures import Fault
from llmbatch.engines.http.servers import Server, before_next_try

_TRIES = 8


async def prepare(asks: Asks, servers: Sequence[Server], client: Client, *, is_vllm: bool) -> None:
    """Have the ask of a job learn from each server that is there. Raises EngineError for one that
    cannot answer it, or gives others answers than those before it."""
    for server in servers:
        if server.card is not None:
            try:
                await asks.prepare(partial(_post, server, client), is_vllm=is_vllm)
            except EngineError as error:
                named = str(error).startswith(server.name)
                raise EngineError(str(error) if named else f"{server.name}: {error}") from error


async def _post(server: Server, client: Client, call: Call) -> dict[str, Any]:
    text = ""
    for tries in range(1, _TRIES + 1):
        wait = None
        try:
            reply = await client.ask(server.target(client, call), call.body)
            if reply.status == 200:
                return answers.table(reply.body)
            problem = failures.problem_of(reply.status, reply.headers, reply.body)
            text, wait = problem.text, problem.wait
            if problem.fault in (Fault.SETTING, Fault.ROW):
                raise EngineError(f"{server.name} {text}{_advice(reply.status, call.path)}")
        except (ExchangeError, answers.UnreadableError) as error:
            text = str(error)
        await asyncio.sleep(before_next_try(tries) if wait is None else wait)
    raise EngineError(f"{server.name}: {text}")


def _advice(status: int, path: str) -> str:
    if status != 404:
        return ""
    return f" for {path}: the model there is not of the kind that the job asks for"
