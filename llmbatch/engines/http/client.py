"""HTTP: requests over connections that stay open. The only importer of aiohttp."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import aiohttp
import orjson
from yarl import URL

from llmbatch.core.errors import UsageError
from llmbatch.core.units import count
from llmbatch.engines.http.addresses import Address
from llmbatch.engines.http.key import Key
from llmbatch.engines.http.trust import Trust, certificate_problem, unused_proxies

_JSON = {"Content-Type": "application/json", "Accept": "application/json"}
_HOPS = 5


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
    at most; `key`: sent with requests to the servers of the job, and to no other host."""

    timeout: float
    connect_timeout: float
    largest: int
    key: Key
    trust: Trust


class Client:
    """Sends requests. Made, used and closed in one event loop."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._tls = settings.trust.tls()
        self._session = self._made(settings.key.header)
        self._elsewhere: aiohttp.ClientSession | None = None
        self._proxies: dict[str, str | None] = {}

    def _made(self, headers: Mapping[str, str]) -> aiohttp.ClientSession:
        settings = self._settings
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls),
            timeout=aiohttp.ClientTimeout(
                total=settings.timeout, sock_connect=settings.connect_timeout
            ),
            headers={**_JSON, **headers},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            read_bufsize=2**18,
        )

    async def close(self) -> None:
        for session in (self._session, self._elsewhere):
            if session is not None:
                await session.close()

    async def get(self, url: URL) -> Reply:
        """Raises ExchangeError."""
        return await self._exchange("GET", url, None)

    async def post(self, url: URL, body: bytes) -> Reply:
        """Send JSON. Raises ExchangeError."""
        return await self._exchange("POST", url, body)

    async def _exchange(self, method: str, url: URL, body: bytes | None) -> Reply:
        reply = await self._asked(self._session, method, url, body)
        return reply if reply.status == 200 else await self._refused(method, url, body, reply)

    async def _refused(self, method: str, url: URL, body: bytes | None, reply: Reply) -> Reply:
        """The answer without the key, which it may repeat; or another one, from where it points."""
        for _ in range(_HOPS):
            if not 300 <= reply.status < 400:
                break
            try:
                target = self._settings.trust.redirected(
                    Address.parsed(str(url.origin())), reply.status, reply.headers.get("Location")
                )
            except UsageError as error:
                said = orjson.dumps({"error": {"message": str(error)}})
                return Reply(reply.status, reply.headers, said)
            is_same = URL(target).origin() == url.origin()
            reply = await self._asked(self._session_for(is_same), method, URL(target), body)
        said = self._settings.key.hide(reply.body.decode("utf-8", "replace")).encode()
        return Reply(reply.status, reply.headers, said)

    def _session_for(self, is_same: bool) -> aiohttp.ClientSession:
        if is_same:
            return self._session
        if self._elsewhere is None:
            self._elsewhere = self._made({})
        return self._elsewhere

    def _proxy_for(self, url: URL) -> str | None:
        if not self._settings.trust.proxy:
            return None
        origin = str(url.origin())
        if origin not in self._proxies:
            found = self._settings.trust.proxy_for(Address.parsed(origin))
            self._proxies[origin] = found
        return self._proxies[origin]

    async def _asked(
        self, session: aiohttp.ClientSession, method: str, url: URL, body: bytes | None
    ) -> Reply:
        try:
            # Another host would get the key, and the texts.
            async with session.request(
                method, url, data=body, allow_redirects=False, proxy=self._proxy_for(url)
            ) as response:
                return Reply(response.status, response.headers, await self._read(response))
        except aiohttp.ClientConnectorError as error:
            raise ExchangeError(Broken.REFUSED, self._said(error, url)) from None
        except (TimeoutError, aiohttp.ServerTimeoutError):
            text = f"no answer within {self._settings.timeout:g} s"
            raise ExchangeError(Broken.LATE, text) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ExchangeError(Broken.CUT, self._said(error, url)) from None

    def _said(self, error: BaseException, url: URL) -> str:
        """The error in a line. The error itself is dropped: it holds the headers that were sent."""
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            cause = error.certificate_error
            if isinstance(cause, ssl.SSLCertVerificationError):
                return certificate_problem(Address.parsed(str(url.origin())), cause)
        hint = ""
        if isinstance(error, aiohttp.ClientConnectorError) and not self._settings.trust.proxy:
            hint = unused_proxies()
        return self._settings.key.hide(one_line(error)) + hint

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
