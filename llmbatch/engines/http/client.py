"""HTTP: requests over connections that stay open. The only importer of aiohttp."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import aiohttp
from yarl import URL

from llmbatch.core.units import count

_JSON = {"Content-Type": "application/json", "Accept": "application/json"}


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
    """An answer of a server. `headers`: their names are compared without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class ClientSettings:
    """`timeout` of a whole answer and `connect_timeout` in seconds; `largest`: bytes of an answer
    at most; `headers`: sent with every request; `tls`: by which servers prove who they are (None:
    by the authorities of the system)."""

    timeout: float
    connect_timeout: float
    largest: int
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None


class Client:
    """Sends requests. Made, used and closed in one event loop."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=settings.tls or True),
            timeout=aiohttp.ClientTimeout(
                total=settings.timeout, sock_connect=settings.connect_timeout
            ),
            headers={**_JSON, **settings.headers},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            read_bufsize=2**18,
        )

    async def close(self) -> None:
        await self._session.close()

    async def get(self, url: URL) -> Reply:
        """Raises ExchangeError."""
        return await self._exchange("GET", url, None)

    async def post(self, url: URL, body: bytes) -> Reply:
        """Send JSON. Raises ExchangeError."""
        return await self._exchange("POST", url, body)

    async def _exchange(self, method: str, url: URL, body: bytes | None) -> Reply:
        try:
            # Another host would get the key, and the texts.
            async with self._session.request(
                method, url, data=body, allow_redirects=False
            ) as response:
                return Reply(response.status, response.headers, await self._read(response))
        except aiohttp.ClientConnectorError as error:
            raise ExchangeError(Broken.REFUSED, one_line(error)) from error
        except (TimeoutError, aiohttp.ServerTimeoutError) as error:
            text = f"no answer within {self._settings.timeout:g} s"
            raise ExchangeError(Broken.LATE, text) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ExchangeError(Broken.CUT, one_line(error)) from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        most = self._settings.largest
        length = response.content_length
        if length is not None and length <= most:
            return await response.read()
        parts, size = [], 0
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > most:
                response.close()
                raise ExchangeError(Broken.LARGE, f"the answer has more than {count(most, 'byte')}")
        return b"".join(parts)


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def address(url: str) -> URL:
    """Raises ValueError for what is no URL."""
    return URL(url)
