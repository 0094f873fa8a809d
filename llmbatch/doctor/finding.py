"""One thing that was looked at, and how it is."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "note", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`found`: in words, one line. `state`: "bad" would break jobs on this machine, "note" breaks
    some, or costs something. `advice`: what to do about it, one line; None where all is well."""

    name: str
    found: str
    state: State = "ok"
    advice: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As a flat table."""
        return asdict(self)
