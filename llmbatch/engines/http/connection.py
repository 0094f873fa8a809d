"""One connection to a server, which answers one request after the other."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import httptools

from llmbatch.core.units import count

_HEADERS = 2**18


class Broken(StrEnum):
    """The way in which an exchange failed."""

    REFUSED = "refused"
    """Nothing listens, or the host is not known: no byte was sent."""
    CUT = "cut"
    """The connection ended before the answer did."""
    LATE = "late"
    """There was no answer in time."""
    LARGE = "large"
    """The answer is longer than it may be."""


class ExchangeError(Exception):
    """There was no answer to a request, for the reason in the text."""

    def __init__(self, how: Broken, text: str) -> None:
        super().__init__(text)
        self.how = how


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of a server. `headers`: by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Done = Callable[[Reply | ExchangeError], None]


class Connection(asyncio.Protocol):
    """Asks one request at a time. `on_free`: called when it may be asked again."""

    __slots__ = (
        "_body",
        "_done",
        "_headers",
        "_is_complete",
        "_is_framed",
        "_largest",
        "_on_free",
        "_parser",
        "_size",
        "_stays",
        "_transport",
        "is_used",
    )

    def __init__(self, largest: int, on_free: Callable[["Connection"], None]) -> None:
        """`largest`: bytes of an answer at most."""
        self._largest = largest
        self._on_free = on_free
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._done: Done | None = None
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._is_complete = False
        self._is_framed = False
        self._stays = False
        self.is_used = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def has_heard(self) -> bool:
        """True if a part of the present answer has come."""
        return self._size > 0

    def ask(self, request: bytes, done: Done) -> None:
        """Send a request; `done` gets what came of it, unless the connection is closed before."""
        assert self._transport is not None
        self._done = done
        self._transport.write(request)

    def close(self) -> None:
        """End it. Nobody is told."""
        self._done = None
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._done is None:  # nothing was asked
            self.close()
            return
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(Broken.CUT, f"the answer is no HTTP: {error}")
            return
        if self._is_complete:
            self._finish()
        elif self._size > self._largest + _HEADERS:
            most = count(self._largest, "byte")
            self._fail(Broken.LARGE, f"the answer has more than {most}")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is None:
            return
        has_status = self._size > 0 and self._parser.get_status_code() >= 200
        if exc is None and has_status and not self._is_framed and self._headers:
            self._finish()  # its end is that of the connection
        else:
            why = f": {exc}" if exc is not None and str(exc) else ""
            self._fail(Broken.CUT, f"the connection ended before the answer{why}")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        key = name.decode("latin-1").lower()
        self._headers[key] = value.decode("latin-1")
        if key in ("content-length", "transfer-encoding"):
            self._is_framed = True

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._parser.get_status_code() >= 200:
            self._is_complete = True
            self._stays = self._parser.should_keep_alive()  # known here only
        else:  # it only says that it goes on
            self._headers = {}

    def _finish(self) -> None:
        done, reply = self._done, self._reply()
        stays = self._is_complete and self._stays and self.is_open
        self._forget()
        self.is_used = True
        if stays:
            self._on_free(self)
        else:
            self.close()
        if done is not None:
            done(reply)

    def _reply(self) -> Reply:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        return Reply(self._parser.get_status_code(), self._headers, body)

    def _fail(self, how: Broken, text: str) -> None:
        done = self._done
        self.close()
        if done is not None:
            done(ExchangeError(how, text))

    def _forget(self) -> None:
        self._done = None
        self._headers, self._body = {}, []
        self._size = 0
        self._is_complete = self._is_framed = False
