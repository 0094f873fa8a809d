"""The gates that a request passes before a scripted server answers it: key, loading, limits."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate

from aiohttp import web

from tests.servers import replies
from tests.servers.limits import Bucket
from tests.servers.options import ServerOptions


class Gates:
    """Lets requests pass or refuses them, and counts both."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._bucket = Bucket(options.rate, options.burst)
        self._places = asyncio.Semaphore(options.places or 10**9)
        self._began = time.monotonic()
        self.arrived = 0
        self.running = 0
        self.most = 0
        self.statuses: Counter[str] = Counter()

    def refusal(self, request: web.Request) -> web.Response | None:
        """The answer to a request that may not pass; None to one that may."""
        options = self._options
        if options.redirect:
            raise web.HTTPTemporaryRedirect(options.redirect + request.path_qs)
        if time.monotonic() - self._began < options.loading:
            return refused(503, "Loading model", "unavailable_error")
        if options.key and request.path.startswith("/v1") and not self._has_key(request):
            sent = request.headers.get("Authorization", "")
            told = f": {sent.removeprefix('Bearer ')}" if options.tells_key else ""
            return refused(401, f"Incorrect API key provided{told}", "invalid_request_error")
        return None

    def _has_key(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {self._options.key}"

    def limit(self) -> web.Response | None:
        """The answer to a request beyond a limit; None to one within."""
        options = self._options
        self.arrived += 1
        wait = self._bucket.take() if self.arrived > options.rate_after else 0.0
        if wait:
            return self._told(429, "Rate limit reached", "rate_limit_error", wait)
        if options.refuses_over and self.running >= options.refuses_over:
            return self._told(503, "The server is overloaded", "overloaded_error", 0.05)
        return None

    def _told(self, status: int, message: str, kind: str, wait: float) -> web.Response:
        response = refused(status, message, kind)
        response.headers.update(retry_after(self._options.retry_after, wait))
        return response

    def headers(self) -> dict[str, str]:
        """Those that tell of the rate limit."""
        options = self._options
        if not options.rate_headers or not options.rate:
            return {}
        left = self._bucket.left
        return {
            "x-ratelimit-limit-requests": str(options.burst),
            "x-ratelimit-remaining-requests": str(left),
            "x-ratelimit-reset-requests": f"{max(0.0, (options.burst - left) / options.rate):.3f}s",
        }

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of the places in which requests are answered."""
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            async with self._places:
                if self._options.latency:
                    await asyncio.sleep(self._options.latency)
                yield
        finally:
            self.running -= 1


def refused(status: int, message: str, kind: str, parameter: str | None = None) -> web.Response:
    return web.json_response(replies.error(status, message, kind, parameter), status=status)


def retry_after(form: str, wait: float) -> dict[str, str]:
    """The header in this form: whole seconds, rounded up, or a date. None: no header."""
    seconds = int(wait) + 1
    if form == "none":
        return {}
    if form == "date":
        return {"Retry-After": formatdate(time.time() + seconds, usegmt=True)}
    return {"Retry-After": str(seconds)}
