"""HTTP: requests over connections that stay open.

A connection costs a tenth of what the usual clients of HTTP take for a request, which would be more
than all else that a row costs here (`make bench-http`).
"""

import asyncio
import os
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson

from llmbatch.core import clock
from llmbatch.core.errors import UsageError
from llmbatch.core.units import seconds
from llmbatch.engines.http.addresses import Address
from llmbatch.engines.http.connection import Broken, Connection, Done, ExchangeError, Reply
from llmbatch.engines.http.key import Key
from llmbatch.engines.http.trust import Trust, certificate_problem, unused_proxies
from llmbatch.engines.http.tunnel import Opening, Proxy

_FIXED = "Content-Type: application/json\r\nAccept: application/json\r\nUser-Agent: llmbatch\r\n"
_HAPPY_EYEBALLS = 0.25
_LOOK = 0.5
_HOPS = 5


@dataclass(frozen=True)
class ClientSettings:
    """`timeout` of a whole answer and `connect_timeout` in seconds; `largest`: bytes of an answer
    at most; `key`: sent with requests to the servers of the job, and to no other host."""

    timeout: float
    connect_timeout: float
    largest: int
    key: Key
    trust: Trust


@dataclass(eq=False)
class Origin:
    """A server as connections are made to it: its address, and its proxy if it has one. `has_key`:
    it gets the key. `free`: connections that wait for a request."""

    address: Address
    proxy: Proxy | None = None
    has_key: bool = True
    free: list[Connection] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """An origin, and the head of a request up to the length of its body. `hops`: redirects that led
    to it."""

    origin: Origin
    method: str
    head: bytes
    hops: int = 0


class Exchange:
    """One request on its way. After `cancel` nothing comes of it."""

    __slots__ = ("connection", "deadline", "done", "is_over", "task")

    def __init__(self, done: Done, deadline: float) -> None:
        self.done = done
        self.deadline = deadline
        self.connection: Connection | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_over = False

    def cancel(self) -> None:
        self.is_over = True
        if self.connection is not None:
            self.connection.close()
        if self.task is not None:
            self.task.cancel()

    def end(self, result: Reply | ExchangeError) -> None:
        if not self.is_over:
            self.is_over = True
            self.done(result)


class Client:
    """Sends requests. Made, used and closed in one event loop."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._open: set[Exchange] = set()
        self._tls = settings.trust.tls()
        self._origins: dict[tuple[str, bool], Origin] = {}
        self._looking: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """End all connections; nothing comes of what is on its way."""
        if self._looking is not None:
            self._looking.cancel()
        for exchange in self._open:
            exchange.cancel()
        self._open.clear()
        for origin in self._origins.values():
            for connection in origin.free:
                connection.close()
            origin.free.clear()

    def origin(self, address: Address, *, has_key: bool = True) -> Origin:
        """The origin of a server."""
        known = self._origins.get((address.origin, has_key))
        if known is None:
            url = self._settings.trust.proxy_for(address)
            proxy = None if url is None else Proxy(url)
            known = self._origins[address.origin, has_key] = Origin(address, proxy, has_key)
        return known

    def target(self, origin: Origin, path: str, method: str = "POST", hops: int = 0) -> Target:
        """The place that a path of a server names."""
        address, proxy = origin.address, origin.proxy
        host = address.origin.partition("//")[2]
        is_absolute = proxy is not None and not address.is_encrypted
        url = f"{address.origin}{path}" if is_absolute else path
        further = proxy.header if proxy is not None and is_absolute else ""
        if origin.has_key:
            header = self._settings.key.header
            further += "".join(f"{name}: {value}\r\n" for name, value in header.items())
        head = f"{method} {url} HTTP/1.1\r\nHost: {host}\r\n{_FIXED}{further}Content-Length: "
        return Target(origin, method, head.encode("latin-1"), hops)

    async def get(self, origin: Origin, path: str) -> Reply:
        """Raises ExchangeError."""
        return await self.ask(self.target(origin, path, "GET"), b"")

    async def ask(self, target: Target, body: bytes) -> Reply:
        """Send a body and wait for the answer. Raises ExchangeError."""
        found: asyncio.Future[Reply | ExchangeError] = asyncio.get_running_loop().create_future()
        exchange = self.send(target, body, found.set_result)
        try:
            result = await found
        except asyncio.CancelledError:
            exchange.cancel()
            raise
        if isinstance(result, ExchangeError):
            raise result
        return result

    def send(self, target: Target, body: bytes, done: Done) -> Exchange:
        """Send a body; `done` gets the answer, never before this has returned."""
        exchange = Exchange(done, clock.seconds() + self._settings.timeout)
        self._open.add(exchange)
        self._start(exchange, target, body)
        if self._looking is None:
            self._look_later()
        return exchange

    def _start(self, exchange: Exchange, target: Target, body: bytes) -> None:
        free = target.origin.free
        while free:
            connection = free.pop()
            if connection.is_open:
                self._ask(exchange, target, connection, body)
                return
        self._connect(exchange, target, body)

    def _ask(self, exchange: Exchange, target: Target, connection: Connection, body: bytes) -> None:
        def done(result: Reply | ExchangeError) -> None:
            exchange.connection = None
            if isinstance(result, Reply):
                if result.status == 200:
                    self._end(exchange, result)
                else:
                    self._refused(exchange, target, body, result)
            elif connection.is_used and not connection.has_heard and not exchange.is_over:
                # The server had closed it before it saw the request.
                self._connect(exchange, target, body)
            else:
                self._end(exchange, result)

        exchange.connection = connection
        connection.ask(b"%b%d\r\n\r\n%b" % (target.head, len(body), body), done)

    def _end(self, exchange: Exchange, result: Reply | ExchangeError) -> None:
        self._open.discard(exchange)
        exchange.end(result)

    def _refused(self, exchange: Exchange, target: Target, body: bytes, reply: Reply) -> None:
        """Hand out an answer without the key, which it may repeat; or follow where it points."""
        if 300 <= reply.status < 400 and target.hops < _HOPS:
            try:
                self._start(exchange, self._elsewhere(target, reply), body)
                return
            except UsageError as error:
                said = orjson.dumps({"error": {"message": str(error)}})
                reply = Reply(reply.status, reply.headers, said)
        text = reply.body.decode("utf-8", "replace")
        hidden = self._settings.key.hide(text).encode()
        self._end(exchange, Reply(reply.status, reply.headers, hidden))

    def _elsewhere(self, target: Target, reply: Reply) -> Target:
        """The target that a server sends a request on to. Raises UsageError if it is not
        followed."""
        origin = target.origin
        url = self._settings.trust.redirected(
            origin.address, reply.status, reply.headers.get("location")
        )
        parts = urlsplit(url)
        address = Address.parsed(f"{parts.scheme}://{parts.netloc}")
        has_key = origin.has_key and address.origin == origin.address.origin
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        further = self.origin(address, has_key=has_key)
        return self.target(further, path, target.method, target.hops + 1)

    def _connect(self, exchange: Exchange, target: Target, body: bytes) -> None:
        exchange.task = asyncio.create_task(self._connected(exchange, target, body))

    async def _connected(self, exchange: Exchange, target: Target, body: bytes) -> None:
        origin = target.origin
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                connection = await self._opened(origin)
        except ssl.SSLCertVerificationError as error:
            text = certificate_problem(origin.address, error)
        except TimeoutError:
            text = f"no connection within {seconds(self._settings.connect_timeout)}"
        except OSError as error:
            hint = "" if self._settings.trust.proxy else unused_proxies()
            text = self._settings.key.hide(_unreached(origin, error)) + hint
        else:
            exchange.task = None
            if exchange.is_over:
                connection.close()
            else:
                self._ask(exchange, target, connection, body)
            return
        self._end(exchange, ExchangeError(Broken.REFUSED, text))

    async def _opened(self, origin: Origin) -> Connection:
        loop, address, proxy = asyncio.get_running_loop(), origin.address, origin.proxy
        tls = self._tls
        connection = Connection(self._settings.largest, origin.free.append)
        near = address if proxy is None else proxy
        is_tunnel = proxy is not None and address.is_encrypted
        protocol = Opening() if is_tunnel else connection
        transport, _ = await loop.create_connection(
            lambda: protocol,
            near.host,
            near.port,
            ssl=tls if near.is_encrypted else None,
            happy_eyeballs_delay=_HAPPY_EYEBALLS,
        )
        if proxy is None or not isinstance(protocol, Opening):
            return connection
        transport.write(proxy.opening(address.host, address.port))
        status = await protocol.answer
        if status != 200:
            transport.abort()
            raise OSError(f"the proxy {proxy.host} opens no way to the server (status {status})")
        inner = await loop.start_tls(transport, connection, tls, server_hostname=address.host)
        assert inner is not None
        connection.connection_made(inner)
        return connection

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(min(_LOOK, self._settings.timeout / 4), self._look)

    def _look(self) -> None:
        """End what has taken too long."""
        self._looking = None
        now = clock.seconds()
        for exchange in [one for one in self._open if one.deadline <= now]:
            self._open.discard(exchange)
            done, over = exchange.done, exchange.is_over
            exchange.cancel()
            if not over:
                text = f"no answer within {seconds(self._settings.timeout)}"
                done(ExchangeError(Broken.LATE, text))
        if self._open:
            self._look_later()


def _unreached(origin: Origin, error: OSError) -> str:
    """A line about a connection that was not made."""
    near = origin.address if origin.proxy is None else origin.proxy
    is_number = error.errno is not None and error.errno > 0
    why = os.strerror(error.errno or 0) if is_number else one_line(error)
    return f"no connection to {near.host}:{near.port}: {why}"


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
