"""Trust in servers with requests and the key: encryption, redirects, proxies."""

import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from llmbatch.core.errors import UsageError
from llmbatch.engines.http.addresses import Address

FROM_ENVIRONMENT = "environment"
_RESENT = (307, 308)
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


@dataclass(frozen=True, slots=True)
class Trust:
    """`ca_file`: certificates that are trusted beside those of the system; `plain_http`: also hosts
    far away are asked without encryption; `redirects`: another host may be named by one;
    `proxy`: its URL, "environment" for those that variables name, "" for none."""

    ca_file: str = ""
    plain_http: bool = False
    redirects: bool = False
    proxy: str = ""

    def check(self, addresses: Iterable[Address]) -> None:
        """Raise UsageError for what cannot be used, and for a server that would get requests and
        key without encryption over the internet."""
        for address in addresses:
            if not (address.is_encrypted or address.is_near or self.plain_http):
                raise UsageError(
                    f"--base-url {address.base}: texts and key would cross the internet without "
                    "encryption: use https, or say --engine-arg plain_http=true"
                )
        if self.proxy not in ("", FROM_ENVIRONMENT):
            self._check_proxy()
        self.tls()

    def _check_proxy(self) -> None:
        parts = urlsplit(self.proxy)
        if "@" in parts.netloc:
            raise UsageError(
                "engine option 'proxy': must hold no password: put the URL into HTTPS_PROXY, and "
                "say --engine-arg proxy=environment"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError("engine option 'proxy': write http://HOST:PORT, or environment")

    def tls(self) -> ssl.SSLContext:
        """The settings for encrypted connections. Raises UsageError."""
        context = ssl.create_default_context()
        if self.ca_file:
            try:
                context.load_verify_locations(self.ca_file)
            except ssl.SSLError as error:
                raise UsageError(
                    f"engine option 'ca_file': {self.ca_file} holds no certificates in PEM form"
                ) from error
            except OSError as error:
                raise UsageError(
                    f"engine option 'ca_file': {self.ca_file} cannot be read: {error.strerror}"
                ) from error
        return context

    def proxy_for(self, address: Address) -> str | None:
        """The proxy by which this server is asked; None: it is asked directly."""
        if self.proxy != FROM_ENVIRONMENT:
            return self.proxy or None
        if proxy_bypass(address.host):
            return None
        found = getproxies()
        return found.get(address.scheme) or found.get("all")

    def secrets(self) -> list[str]:
        """The passwords of proxies that the environment names, which no message may hold."""
        found = getproxies().values() if self.proxy == FROM_ENVIRONMENT else ()
        return [password for url in found if (password := urlsplit(url).password)]

    def redirected(self, address: Address, status: int, location: str | None) -> str:
        """The URL that a request is sent to again, as the server wishes. Raises UsageError for one
        that is not followed."""
        target = urljoin(address.base, location or "")
        parts = urlsplit(target)
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        if not location or status not in _RESENT:
            raise UsageError(
                f"--base-url {address.base}: the server answers with a redirect ({status}) to "
                f"{shown}: give the URL of its interface, which often ends in /v1"
            )
        is_same = f"{parts.scheme}://{parts.netloc.lower()}" == address.origin
        is_weaker = address.is_encrypted and parts.scheme != "https"
        if not is_same and (is_weaker or not self.redirects):
            raise UsageError(
                f"--base-url {address.base}: the server sends requests on to {shown}: give that "
                "URL if you trust it"
                + ("" if is_weaker else ", or say --engine-arg redirects=true (without the key)")
            )
        return target


def certificate_problem(address: Address, error: ssl.SSLCertVerificationError) -> str:
    """A line about a certificate that is not accepted, and what to do."""
    reason = error.verify_message or error.reason or "it cannot be verified"
    if "self" in reason or "unable to get" in reason:
        todo = "if it is your own, name the certificate: --engine-arg ca_file=PATH"
    elif "mismatch" in reason or "doesn't match" in reason or "not valid for" in reason:
        todo = "give the name that it is made out for in --base-url"
    else:
        todo = "have the server renew it"
    return f"the certificate of {address.origin} is not accepted ({reason}): {todo}"


def unused_proxies() -> str:
    """A hint for a server that cannot be reached, if the environment names proxies; else empty."""
    named = [name for name in _PROXIES if os.environ.get(name) or os.environ.get(name.lower())]
    if not named:
        return ""
    return f" ({named[0]} is set, and used only with --engine-arg proxy=environment)"
