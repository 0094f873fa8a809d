"""The limits that servers tell in the headers of their answers."""

import re
from collections.abc import Mapping

from llmbatch.engines.http.concurrency import Flow

_KINDS = ("requests", "tokens")
_PARTS = re.compile(r"([\d.]+)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def note(flow: Flow, headers: Mapping[str, str], now: float) -> None:
    """Let a flow know what an answer's headers tell."""
    for kind in _KINDS:
        left = headers.get(f"x-ratelimit-remaining-{kind}")
        if left is None:
            continue
        reset = seconds(headers.get(f"x-ratelimit-reset-{kind}", ""))
        if reset is not None and left.strip().isdigit():
            flow.told(now, int(left), reset)


def seconds(text: str) -> float | None:
    """A duration as OpenAI writes it, such as 1s, 6m0s or 20ms, or a number of seconds."""
    text = text.strip()
    try:
        return max(0.0, float(text))
    except ValueError:
        parts = _PARTS.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
