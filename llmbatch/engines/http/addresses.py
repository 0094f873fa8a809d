"""The addresses of servers: which are taken, and which may be reached without encryption."""

import ipaddress
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, urlsplit

_PORTS = {"http": 80, "https": 443}
_VERSION = "/v1"
# Names that the world does not resolve: of a cluster, a local network, or this machine.
_NEAR = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".svc", ".intranet")
# Shared by the customers of a provider, and used by private networks over the internet.
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_LONGEST_SHOWN = 80


class SecretError(ValueError):
    """A setting that holds a secret, or may. Its text does not repeat the setting."""


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a server. `path`: of its interface, such as /v1."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parsed(cls, url: str) -> Self:
        """The address in a URL; without a path it is that of /v1. Raises ValueError."""
        parts = _split(url)
        _refuse_secrets(parts)
        shown = repr(url[:_LONGEST_SHOWN])
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError(f"{shown} is no URL of a server: write http://HOST:PORT/v1")
        try:
            port = parts.port or _PORTS[parts.scheme]
        except ValueError as error:
            raise ValueError(f"{shown}: the port must be a number from 1 to 65535") from error
        if not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError(
                f"{shown} is no URL of a server: it holds a space or another character"
            )
        return cls(parts.scheme, parts.hostname, port, parts.path.rstrip("/") or _VERSION)

    @property
    def origin(self) -> str:
        """Scheme, host and port, as a URL without an end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @property
    def base(self) -> str:
        """The URL of the interface, without a slash at its end."""
        return self.origin + self.path

    @property
    def root(self) -> str:
        """The URL that vLLM's own endpoints are below, such as /tokenize."""
        return self.origin + self.path.removesuffix(_VERSION)

    @property
    def is_encrypted(self) -> bool:
        return self.scheme == "https"

    @property
    def is_near(self) -> bool:
        """True for this machine and private networks, by the address or the name alone."""
        try:
            address = ipaddress.ip_address(self.host.partition("%")[0])
        except ValueError:
            return "." not in self.host or self.host.endswith(_NEAR)
        if address.version == 4 and address in _SHARED:
            return True
        return address.is_private or address.is_loopback or address.is_link_local


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:  # brackets that do not close, or hold no address
        raise SecretError("is no URL of a server: write http://HOST:PORT/v1") from error


def _refuse_secrets(parts: SplitResult) -> None:
    if "@" in parts.netloc:
        raise SecretError(
            "must hold no user and no password: put the key into an environment variable, and name "
            "it with --api-key-env NAME"
        )
    if parts.query or parts.fragment:
        raise SecretError(
            "must end before ? and #: a key goes into an environment variable, which "
            "--api-key-env NAME names"
        )
