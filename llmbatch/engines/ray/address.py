"""The address of a cluster: its forms, and a look at it before Ray tries it for minutes."""

import os
import socket

from llmbatch.core.errors import UsageError

PROBE_SECONDS = 2.0
AUTO = "auto"


def checked(address: str | None) -> str | None:
    """The address for `ray.init`; None for a cluster of the run's own. Raises UsageError for one of
    another form."""
    if address in (None, "local"):
        return None
    if address == AUTO:
        return os.environ.get("RAY_ADDRESS") or AUTO
    if address and "://" in address:
        raise UsageError(
            f"--ray-address {address!r}: give the address of the cluster's head as host:port, such "
            "as 10.0.0.1:6379; that of a Ray Client or dashboard is another one"
        )
    _parts(address or "")
    return address


def probe(address: str) -> None:
    """Raise UsageError if no program listens there. Ray itself would try it for minutes."""
    if address == AUTO:
        return
    host, port = _parts(address)
    try:
        socket.create_connection((host, port), PROBE_SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error) or "no answer"
        raise UsageError(
            f"--ray-address {address}: no Ray cluster answers there ({reason.lower()}); see "
            "`ray status` on its head, or leave it out to start one on this machine"
        ) from error


def answers(address: str) -> bool:
    """True if a program listens at host:port."""
    try:
        socket.create_connection(_parts(address), PROBE_SECONDS).close()
    except OSError:
        return False
    return True


def _parts(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 65536):
        raise UsageError(
            f"--ray-address {address!r}: write host:port, such as 10.0.0.1:6379, or auto"
        )
    return host.strip("[]"), int(port)
