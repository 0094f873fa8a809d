"""A server with OpenAI's interface that follows a script: `python -m tests.servers.scripted`.

Its answers are those of `tests.scripted_engine`, whose markers it follows: KILL ends the process,
STALL is never answered, and LOSE closes the connection; HOLD is told to wait every other time. It
reads its options (`ServerOptions`) as JSON from its standard input, prints its port, and ends when
that input ends. GET /seen tells what it was asked.
"""

import asyncio
import json
import os
import ssl
import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Literal

from aiohttp import web

from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Completed, Failed, Outcome
from llmbatch.core.records import ChatSettings, Request
from llmbatch.engines.config import EngineConfig
from tests import scripted_engine
from tests.servers import asked, replies
from tests.servers.gates import Gates, refused
from tests.servers.labels import Labels, TooLongError
from tests.servers.options import ServerOptions

ENDED = "EngineCore encountered an issue. See stack trace (above) for the root cause."
PATHS = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
    "/score": "score",
    "/v1/score": "score",
    "/rerank": "rerank",
    "/v1/rerank": "rerank",
    "/classify": "classify",
    "/tokenize": "tokenize",
}


class Server:
    """The handlers of one server."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._gates = Gates(options)
        self._labels = Labels(options.max_model_len)
        self._engine = self._made(None)
        self._thinking = self._made("on")
        self._answered = 0
        self._is_ending = False
        self._holds = 0
        self._lost: set[str] = set()
        self._bodies: deque[dict[str, Any]] = deque(maxlen=5000)
        self._headers: deque[dict[str, str]] = deque(maxlen=5000)

    def _made(self, thinking: Literal["on"] | None) -> scripted_engine.ScriptedEngine:
        given = {**self._options.engine, "max_model_len": self._options.max_model_len}
        settings = EngineConfig(
            self._options.models[0], given, chat=ChatSettings(thinking=thinking)
        )
        return scripted_engine.create(settings)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=2**30, middlewares=[self._counted])
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/health", self._health)
        app.router.add_get("/version", self._version)
        app.router.add_get("/seen", self._seen)
        for path, endpoint in PATHS.items():
            if endpoint in self._options.serves:
                app.router.add_post(path, self._answering(endpoint))
        return app

    @web.middleware
    async def _counted(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path == "/seen":
            return await _handled(handler, request)
        response = self._gates.refusal(request) or await _handled(handler, request)
        self._gates.statuses[str(response.status)] += 1
        response.headers.update(self._gates.headers())
        return response

    async def _models(self, request: web.Request) -> web.Response:
        beside = {"max_model_len": self._options.max_model_len}
        told = [
            {"id": name, "object": "model", "created": 1, "owned_by": self._options.kind}
            | (beside if self._options.tells_context else {})
            for name in self._options.models
        ]
        return web.json_response({"object": "list", "data": told})

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(status=503 if self._is_ending else 200)

    async def _version(self, request: web.Request) -> web.Response:
        if self._options.kind != "vllm":
            raise web.HTTPNotFound
        return web.json_response({"version": "0.32.0"})

    async def _seen(self, request: web.Request) -> web.Response:
        gates = self._gates
        return web.json_response(
            {
                "bodies": list(self._bodies),
                "headers": list(self._headers),
                "statuses": gates.statuses,
                "most": gates.most,
                "answered": self._answered,
            }
        )

    def _answering(self, endpoint: str) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.Response:
            try:
                body = json.loads(await request.read())
            except ValueError as error:
                return refused(400, f"There was an error parsing the body: {error}", "BadRequest")
            self._bodies.append(body)
            self._headers.append(dict(request.headers))
            limited = self._hold(body) or self._gates.limit()
            if limited is not None:
                return limited
            async with self._gates.place():
                return await self._answer(endpoint, request, body)

        return answer

    def _hold(self, body: Mapping[str, Any]) -> web.Response | None:
        if "HOLD" not in str(body.get("messages")):
            return None
        self._holds += 1
        if self._holds % 2 == 0:
            return None
        response = refused(429, "HOLD", "rate_limit_error")
        response.headers["retry-after-ms"] = "60"
        return response

    async def _answer(
        self, endpoint: str, request: web.Request, body: dict[str, Any]
    ) -> web.Response:
        options = self._options
        if options.dies_at == self._answered:
            os._exit(1)
        if self._is_ending or options.ends_at == self._answered:
            return self._end()
        first, count = options.fails_for
        self._answered += 1
        if count and first < self._answered <= first + count:
            return refused(500, "Internal Server Error", "InternalServerError")
        problem = self._problem(endpoint, body)
        if problem is not None:
            return problem
        try:
            return await self._told(endpoint, request, body)
        except asked.BadRequestError as error:
            return refused(400, str(error), "BadRequestError", error.parameter)

    def _end(self) -> web.Response:
        if not self._is_ending:
            self._is_ending = True
            asyncio.get_running_loop().call_later(0.2, os._exit, 0)
        return refused(500, ENDED, "InternalServerError")

    def _problem(self, endpoint: str, body: Mapping[str, Any]) -> web.Response | None:
        model = body.get("model")
        if model is not None and model not in self._options.models:
            message = f"The model `{model}` does not exist."
            return refused(404, message, "NotFoundError", "model")
        if self._options.strict:
            unknown = sorted(body.keys() - asked.OPENAI)
            if unknown:
                message = f"Unrecognized request argument supplied: {', '.join(unknown)}"
                return refused(400, message, "invalid_request_error", unknown[0])
        return None

    async def _told(
        self, endpoint: str, request: web.Request, body: dict[str, Any]
    ) -> web.Response:
        if endpoint == "tokenize":
            return web.json_response(self._labels.tokenize(body))
        if body.get("logprob_token_ids") and "logprob_token_ids" in self._options.honours:
            return self._measured(body)
        if endpoint not in ("chat", "completions"):
            return await self._pooled(endpoint, request, body)
        return await self._text(request, body)

    def _measured(self, body: dict[str, Any]) -> web.Response:
        form = self._options.usage
        if "messages" not in body:
            return web.json_response(self._labels.texts(body, form))
        try:
            return web.json_response(self._labels.chat(body, form))
        except TooLongError as error:
            return self._too_long(error.count)

    async def _text(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        body, differs = asked.filled(body, self._options.defaults)
        wanted = asked.text_request(body, self._options.honours)
        thinks = (body.get("chat_template_kwargs") or {}).get("enable_thinking")
        outcome = await self._computed(request, wanted, self._thinking if thinks else self._engine)
        if isinstance(outcome, Failed):
            return self._failed(outcome, wanted)
        fits = outcome.usage.prompt + wanted.sampling.max_tokens <= self._options.max_model_len
        if not fits and not self._options.shortens and wanted.sampling.max_tokens < 10**6:
            length = self._options.max_model_len
            message = f"This model's maximum context length is {length} tokens."
            return refused(400, message, "BadRequestError", "max_tokens")
        if differs and wanted.constraint is None:
            outcome = _drawn_otherwise(outcome)
        model, form = self._options.models[0], self._options.usage
        if "messages" in body:
            return web.json_response(replies.chat(outcome, wanted.prefill, model, form))
        return web.json_response(replies.completion(outcome, model, form))

    async def _pooled(
        self, endpoint: str, request: web.Request, body: dict[str, Any]
    ) -> web.Response:
        body = self._as_served(body)
        outcomes: list[Completed] = []
        for wanted in asked.pooling_requests(body, endpoint):
            outcome = await self._computed(request, wanted, self._engine)
            if isinstance(outcome, Failed):
                return self._failed(outcome, wanted)
            outcomes.append(outcome)
        model, form = self._options.models[0], self._options.usage
        return web.json_response(replies.pooled(endpoint, body, outcomes, model, form))

    def _as_served(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body of a request of numbers, as this model takes it."""
        if body.get("truncate_prompt_tokens"):
            fits = body["input"].split()[: self._options.max_model_len - 1]
            body = {**body, "input": " ".join(fits)}
        activates = self._options.scores == "sigmoid" and body.get("use_activation", True)
        dimensions = body.get("dimensions") if self._options.cuts else None
        return {**body, "activates": activates, "dimensions": dimensions}

    def _failed(self, outcome: Failed, wanted: Request) -> web.Response:
        if outcome.kind == "too_long":
            return self._too_long(sum(len(each.content.split()) for each in wanted.messages))
        status, body = replies.failure(outcome)
        return web.json_response(body, status=status)

    def _too_long(self, words: int) -> web.Response:
        message = (
            f"This model's maximum context length is {self._options.max_model_len} tokens. "
            f"However, your prompt contains {words} input tokens, which exceeds this limit "
            "even without any output tokens. Please reduce the length of the input prompt."
        )
        return refused(400, message, "BadRequestError", "input_tokens")

    async def _computed(
        self, request: web.Request, wanted: Request, engine: scripted_engine.ScriptedEngine
    ) -> Outcome:
        """The outcome, after the markers that end a process or a connection."""
        prompt = " ".join(message.content for message in wanted.messages)
        found = scripted_engine.MARKER.search(prompt)
        mark = found.group(1) if found else ""
        if mark == "STALL":
            await asyncio.sleep(3600)
        if mark == "LOSE" or (mark == "LOSE_ONCE" and prompt not in self._lost):
            self._lost.add(prompt)
            assert request.transport is not None
            request.transport.abort()
        try:
            return engine.compute(wanted)
        except EngineError:
            os._exit(1)


async def _handled(handler: Any, request: web.Request) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
        return response
    except web.HTTPNotFound:  # an endpoint that there is not, as vLLM has it
        return web.json_response({"detail": "Not Found"}, status=404)


def _drawn_otherwise(outcome: Completed) -> Completed:
    """Another answer than one with the fields that were not sent."""
    text = f"{outcome.text} otherwise"
    return Completed(outcome.key, text, outcome.finish_reason, outcome.usage)


async def _serve(options: ServerOptions) -> None:
    runner = web.AppRunner(Server(options).app(), access_log=None)
    await runner.setup()
    context = None
    if options.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.certificate, options.certificate_key)
    site = web.TCPSite(
        runner, options.host, options.port, ssl_context=context, backlog=4096, reuse_address=True
    )
    await site.start()
    print(runner.addresses[0][1], flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)


def main() -> None:
    given = json.loads(sys.stdin.readline())
    lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    asyncio.run(_serve(ServerOptions(**{**given, **lists})))


if __name__ == "__main__":
    main()
