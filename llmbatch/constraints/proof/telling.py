"""The differences between a grammar and the check that the user is told: those not yet known."""

import re
from collections.abc import Iterable, Sequence

from llmbatch.constraints.proof.comparison import Difference

# Faults of a text that no grammar of xgrammar or llguidance can exclude.
_UNHELD = (
    "holds half of a surrogate pair",
    "has the key",
    "holds a NUL",
    "is not JSON that can be kept",
)


def untold(
    differences: Iterable[Difference], check_only: Sequence[tuple[str, str]]
) -> list[Difference]:
    """The differences that do not follow from what is left to the check, places with keywords, nor
    from a fault of the text that no grammar can hold."""
    return [one for one in differences if not _is_told(one, check_only)]


def _is_told(one: Difference, check_only: Sequence[tuple[str, str]]) -> bool:
    if one.keyword.startswith(_UNHELD):
        return True
    if one.kind != "wider":
        return False  # a copy leaves out, and never asks for more
    if any(word == "the whole schema" for _, word in check_only):
        return True
    return any(
        keyword == word and _covers(where, place)
        for place, keyword in one.keywords
        for where, word in check_only
    )


def _covers(where: str, place: str) -> bool:
    """True if a place of a copy, in which `.*` is any property, covers a place of an answer."""
    pattern = re.escape(where).replace(r"\.\*", r"(?:\.[^.\[]*|\['.*'\])")
    return re.fullmatch(pattern, place) is not None
