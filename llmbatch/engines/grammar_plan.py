"""The way in which an engine holds its answers to a constraint, known before it is started."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmbatch.constraints.copies.copier import CheckOnly

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class GrammarPlan:
    """`backend`: what holds the answers while they are written, empty if nothing does;
    `check_only`: what it does not hold, so that only the check of finished answers does;
    `notices`: lines for the user."""

    backend: str
    check_only: tuple[CheckOnly, ...] = ()
    notices: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The stored form, without what is said once."""
        return {
            "backend": self.backend,
            "check_only": [f"{one.keyword} at {one.place}" for one in self.check_only],
        }


NO_GRAMMAR = GrammarPlan("")
"""Nothing holds the answers while they are written."""


def line(stored: Mapping[str, Any]) -> str:
    """The result of `GrammarPlan.to_json` for a person to read."""
    backend, left = stored.get("backend"), stored.get("check_only") or []
    if not backend:
        return "answers are only checked: the engine gets no grammar (--constrain check)"
    if not left:
        return f"held by {backend} while answers are written"
    more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    return f"held by {backend}, but only the check holds {', '.join(left[:_SHOWN])}{more}"
