"""Errors of servers: whose they are, and what follows.

One table for all of them. A request is only charged with what is its own: what a server does wrong
is tried again, and what it says of its limits changes the flow.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

import orjson

from llmbatch.core import clock

_SHOWN = 300
_DEAD = ("EngineCore encountered an issue", "EngineDeadError")
_CONTEXT = re.compile(
    r"maximum context length|context_length_exceeded|exceeds the available context size"
    r"|longer than the maximum model length|input is too long",
    re.IGNORECASE,
)
_QUOTA = ("insufficient_quota", "billing_hard_limit_reached")
# Shares of failures that are taken for chance where a server has answered little so far.
_USUAL = 0.02
_BY_CHANCE = 1e-9


class Fault(StrEnum):
    """The one to whom an error belongs."""

    ROW = "row"
    """The request's own: it has failed."""
    SERVER = "server"
    """The server's, this time: the request is sent again."""
    AWAY = "away"
    """The server cannot be reached or is no more: it is left out for a while, the request is sent
    again."""
    LIMIT = "limit"
    """The request came too early: it is sent again, later, and so are others."""
    SETTING = "setting"
    """The user's: neither this request nor another one can be answered there."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An error: whose it is, the kind of failure of a request (`core.outcomes`), one line, and the
    seconds after which the server would be asked again (None: it does not say)."""

    fault: Fault
    text: str
    kind: str = "refused_request"
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The parts of an error that the table looks at."""

    status: int
    text: str
    kind: str
    parameter: str
    code: str
    is_named: bool
    has_wait: bool

    def says(self, *words: str) -> bool:
        return any(word in self.text or word in (self.code, self.kind) for word in words)


Row = tuple[Callable[[Refusal], bool], Fault, str]

TABLE: tuple[Row, ...] = (
    (lambda it: it.status in (401, 403, 407), Fault.SETTING, "refuses the key"),
    (lambda it: it.says(*_QUOTA) or it.status == 402, Fault.SETTING, "has no money left for it"),
    (lambda it: it.status == 404 and it.is_named, Fault.SETTING, "does not serve this model"),
    (lambda it: it.status in (404, 405, 501), Fault.SETTING, "has no such endpoint"),
    (lambda it: 300 <= it.status < 400, Fault.SETTING, "wants to be asked elsewhere"),
    (lambda it: it.status == 429, Fault.LIMIT, "says that it gets too many requests"),
    (lambda it: it.status == 503 and it.has_wait, Fault.LIMIT, "is busy"),
    (lambda it: it.says(*_DEAD), Fault.AWAY, "is ending"),
    (lambda it: it.status in (502, 503, 504), Fault.AWAY, "is not there"),
    (lambda it: it.status in (408, 409, 425) or it.status >= 500, Fault.SERVER, "failed"),
    (lambda it: 400 <= it.status < 500, Fault.ROW, "refused it"),
)
"""From top to bottom, the first that fits. Any other status is the server's error."""


def problem_of(status: int, headers: Mapping[str, str], body: bytes) -> Problem:
    """The error in an answer of another status than 200."""
    wait = retry_after(headers)
    refusal = _read(status, body, has_wait=wait is not None)
    said = f"{status}: {refusal.text}" if refusal.text else str(status)
    for fits, fault, meaning in TABLE:
        if fits(refusal):
            if fault is Fault.ROW:
                return Problem(fault, said, "too_long" if _is_too_long(refusal) else _REFUSED)
            return Problem(fault, f"{meaning} ({said})", wait=wait)
    return Problem(Fault.SERVER, f"failed ({said})")


_REFUSED = "refused_request"


def _is_too_long(refusal: Refusal) -> bool:
    is_parameter = refusal.parameter == "input_tokens"
    return (
        is_parameter
        or refusal.code == "context_length_exceeded"
        or bool(refusal.parameter != "max_tokens" and _CONTEXT.search(refusal.text))
    )


def _read(status: int, body: bytes, *, has_wait: bool) -> Refusal:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = body.decode("utf-8", "replace")
    error = found.get("error", found) if isinstance(found, dict) else found
    if not isinstance(error, dict):
        return Refusal(status, _one_line(error), "", "", "", False, has_wait)
    text = error.get("message") or error.get("detail") or ""
    kind, parameter, code = (str(error.get(name) or "") for name in ("type", "param", "code"))
    # An endpoint that is not there has no error with a type, or one that speaks of no model.
    named = parameter == "model" or code == "model_not_found" or "model" in str(text).lower()
    return Refusal(status, _one_line(text), kind, parameter, code, bool(kind) and named, has_wait)


def _one_line(text: Any) -> str:
    """A text of a server, in one line of bounded length."""
    written = text if isinstance(text, str) else orjson.dumps(text).decode()
    return " ".join(written.split())[:_SHOWN]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds in a header Retry-After, a number or a date; None where there is none."""
    if (exact := headers.get("retry-after-ms")) is not None and (ms := _number(exact)) is not None:
        return ms / 1000
    told = headers.get("retry-after")
    if told is None:
        return None
    if (seconds := _number(told)) is not None:
        return seconds
    try:
        at = parsedate_to_datetime(told)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - clock.now()).total_seconds())


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < math.inf else None


def is_no_chance(tries: int, failed: int, answered: int) -> bool:
    """True if so many failed tries of one request in a row are no chance, at a server that failed
    and answered so often with all requests: then the request is to blame."""
    share = (failed + 1) / (failed + answered + 1 / _USUAL)
    return share < 1 and tries * math.log(share) < math.log(_BY_CHANCE)
