"""Spans of time as a user writes them: the same forms wherever one is asked for."""

import re

FORMS = "20s, 5m, 2h or 1h30m; a number alone counts seconds"

_NUMBER = r"(\d+(?:\.\d+)?)"
_SPAN = re.compile(rf"(?:{_NUMBER}d)?(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?")
_PLAIN = re.compile(_NUMBER)
_SECONDS = (86_400, 3_600, 60, 1)


def seconds(text: str) -> float | None:
    """The seconds that `1h30m`, `20s` or `20` are; None for a text that is no span of time."""
    written = "".join(text.lower().split())
    if _PLAIN.fullmatch(written):
        return float(written)
    parts = _SPAN.fullmatch(written)
    if not written or not parts:
        return None
    amounts = (float(part or 0) for part in parts.groups())
    return sum(amount * unit for amount, unit in zip(amounts, _SECONDS, strict=True))
