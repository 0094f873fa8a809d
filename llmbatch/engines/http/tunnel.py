"""The way through a proxy to a server whose connections are encrypted."""

import asyncio
import base64
from urllib.parse import SplitResult, unquote, urlsplit

_LARGEST = 2**16


class Proxy:
    """A proxy, by its URL."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        self.host = parts.hostname or ""
        self.is_encrypted = parts.scheme == "https"
        self.port = parts.port or (443 if self.is_encrypted else 80)
        self.header = _authorization(parts)

    def opening(self, host: str, port: int) -> bytes:
        """The request for a tunnel to a server."""
        named = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return f"CONNECT {named} HTTP/1.1\r\nHost: {named}\r\n{self.header}\r\n".encode()


def _authorization(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Proxy-Authorization: Basic {base64.b64encode(secret.encode()).decode()}\r\n"


class Opening(asyncio.Protocol):
    """Waits for a proxy's answer to the request for a tunnel."""

    def __init__(self) -> None:
        self._heard = b""
        self.answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if self.answer.done():
            return
        if b"\r\n\r\n" in self._heard:
            words = self._heard.split(None, 2)
            code = words[1] if len(words) > 1 else b""
            self.answer.set_result(int(code) if code.isdigit() else 0)
        elif len(self._heard) > _LARGEST:
            self.answer.set_result(0)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_exception(ConnectionError("the proxy ended the connection"))
