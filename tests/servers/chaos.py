"""A proxy that does to requests what networks and servers do: `python -m tests.servers.chaos`.

What happens to a request is drawn by its number and the seed, so that a run meets the same chaos
again. Options (`ChaosOptions`) are read as the scripted server reads its own. GET /seen tells what
happened, and when each request that was passed on was.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter

import aiohttp
from aiohttp import web

from tests.servers.gates import refused, retry_after
from tests.servers.limits import Bucket
from tests.servers.options import ChaosOptions

_ERRORS = ("500", "502", "503", "closed")
_GARBAGE = (b"<html>busy</html>", b"{}", b'{"choices": []}', b"[1, 2", b'{"choices": [{}]}', b"")


class Proxy:
    """Passes requests on, or not."""

    def __init__(self, options: ChaosOptions) -> None:
        self._options = options
        self._bucket = Bucket(options.rate, options.burst)
        self._number = 0
        self._session: aiohttp.ClientSession | None = None
        self._happened: Counter[str] = Counter()
        self._passed: list[float] = []

    def app(self) -> web.Application:
        app = web.Application(client_max_size=2**30)
        app.router.add_get("/seen", self._seen)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _seen(self, request: web.Request) -> web.Response:
        return web.json_response({"happened": self._happened, "passed": self._passed})

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.method == "GET":
            return await self._pass_on(request, body)
        self._number += 1
        chance = random.Random(f"{self._options.seed} {self._number}")
        wait = self._bucket.take()
        if wait:
            self._happened["limited"] += 1
            return self._limited(chance, wait)
        self._passed.append(time.monotonic())
        happening = self._drawn(chance)
        self._happened[happening] += 1
        return await self._happen(happening, chance, request, body)

    def _drawn(self, chance: random.Random) -> str:
        options = self._options
        if self._number <= options.spares:
            return "passed"
        at, found = chance.random(), "passed"
        for name in ("errors", "hung", "truncated", "garbage"):
            share = getattr(options, name)
            if 0 <= at < share:
                found = chance.choice(_ERRORS) if name == "errors" else name
            at -= share
        return found

    def _limited(self, chance: random.Random, wait: float) -> web.Response:
        form = {"all": "seconds", "none": "none"}.get(
            self._options.retry_after, chance.choice(("seconds", "none", "date"))
        )
        response = refused(429, "Too many requests", "rate_limit_error")
        response.headers.update(retry_after(form, wait))
        return response

    async def _happen(
        self, happening: str, chance: random.Random, request: web.Request, body: bytes
    ) -> web.StreamResponse:
        if happening == "hung":
            await asyncio.sleep(3600)
        if happening == "closed":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if happening.isdigit():
            return refused(int(happening), "the proxy says no", "server_error")
        if happening == "garbage":
            return web.Response(body=chance.choice(_GARBAGE), content_type="application/json")
        passed = await self._pass_on(request, body)
        if happening == "truncated":
            return await self._cut(request, passed.body)
        return passed

    async def _pass_on(self, request: web.Request, body: bytes) -> web.Response:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(connector=connector)
        url = self._options.target + request.path_qs
        headers = {
            name: request.headers[name]
            for name in ("Authorization", "Content-Type")
            if name in request.headers
        }
        async with self._session.request(
            request.method, url, data=body or None, headers=headers, allow_redirects=False
        ) as reply:
            told = await reply.read()
            kept = {"Retry-After", "Content-Type", "Location"} & set(reply.headers)
            return web.Response(
                status=reply.status,
                body=told,
                headers={name: reply.headers[name] for name in kept},
            )

    async def _cut(self, request: web.Request, body: object) -> web.StreamResponse:
        """Half of a body whose length was told, and the end of the connection."""
        assert isinstance(body, bytes)
        cut = web.StreamResponse(headers={"Content-Length": str(len(body))})
        cut.content_type = "application/json"
        await cut.prepare(request)
        await cut.write(body[: len(body) // 2])
        assert request.transport is not None
        request.transport.close()
        return cut


async def _serve(options: ChaosOptions) -> None:
    runner = web.AppRunner(Proxy(options).app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, options.host, options.port, backlog=4096, reuse_address=True)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


def main() -> None:
    asyncio.run(_serve(ChaosOptions(**json.loads(sys.stdin.readline()))))


if __name__ == "__main__":
    main()
