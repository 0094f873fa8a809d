"""The copy of a constraint that an engine gets, and the backend that holds most of it."""

import json
from dataclasses import dataclass
from functools import lru_cache

from llmbatch.constraints.copies.backend import BACKENDS, XGRAMMAR
from llmbatch.constraints.copies.copier import CheckOnly, Copier, TooLargeError
from llmbatch.constraints.patterns import translate
from llmbatch.core.errors import UsageError
from llmbatch.core.messages import json_text
from llmbatch.core.records import Constraint

_PREFERRED = {name: place for place, name in enumerate(BACKENDS)}


@dataclass(frozen=True, slots=True)
class EngineCopy:
    """A constraint in the words of a backend. An answer that the user's constraint allows is
    allowed by the copy; one that only the copy allows breaks a keyword of `check_only`.
    `misprints`: numbers of an enum are written with more digits than the schema has."""

    backend: str
    constraint: Constraint
    check_only: tuple[CheckOnly, ...] = ()
    misprints: bool = False


@lru_cache(maxsize=64)
def copy_for(constraint: Constraint, backend: str) -> EngineCopy:
    """The copy of a constraint for a backend; a schema itself for one that is not known."""
    if constraint.kind == "regex":
        pattern = translate.whole(constraint.value)
        left = tuple(CheckOnly("$", f"regex ({note})") for note in pattern.left_out)
        return EngineCopy(backend, Constraint("regex", pattern.grammar), left)
    if backend not in BACKENDS or constraint.kind == "choice":
        return EngineCopy(backend, constraint)
    copier = Copier(json.loads(constraint.value), BACKENDS[backend])
    try:
        copy = copier.make()
    except (TooLargeError, RecursionError):
        return EngineCopy(backend, Constraint("json", "{}"), (CheckOnly("$", "the whole schema"),))
    if copy is False:
        raise UsageError("schema: no answer can keep it: some of its keywords exclude each other")
    return EngineCopy(backend, Constraint("json", json_text(copy)), copier.left, copier.misprints)


@lru_cache(maxsize=16)
def copies(constraint: Constraint) -> tuple[EngineCopy, ...]:
    """The copies for all backends. The first leaves least to the check; of equal ones, that of the
    preferred backend."""
    made = [copy_for(constraint, backend) for backend in BACKENDS]
    return tuple(sorted(made, key=_rank))


def _rank(copy: EngineCopy) -> tuple[int, bool, int]:
    return len(copy.check_only), copy.misprints, _PREFERRED[copy.backend]


DEFAULT = XGRAMMAR.name
"""The backend of an engine whose constraints are not known before it starts."""
