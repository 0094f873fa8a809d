"""The flags of a job's rows as figures: by origin, and by name."""

from dataclasses import dataclass

from llmbatch.store import flags
from llmbatch.store.database import Database


@dataclass(frozen=True, slots=True)
class FlagLine:
    """The `rows` that have a flag of this name; the first of them by `id` and `line`, and what was
    seen there, if a few words say more."""

    name: str
    rows: int
    id: str
    line: int
    detail: str | None


@dataclass(frozen=True, slots=True)
class FlagFigures:
    """The flags of one origin: a rule of the user's that only flags (`check`), or a warning sign
    (`sign`). `rows`: those with one or more; `names`: the flags, that of most rows first."""

    origin: str
    rows: int
    names: list[FlagLine]


def build(db: Database) -> list[FlagFigures]:
    """The flags of the current plan by origin; none where no row has one."""
    rows = flags.rows_by_origin(db)
    seen = {(each.origin, each.name): each for each in flags.examples(db)}
    found: dict[str, list[FlagLine]] = {}
    for each in flags.counts(db):
        first = seen[each.origin, each.name]
        found.setdefault(each.origin, []).append(
            FlagLine(each.name, each.rows, first.id, first.line, first.detail)
        )
    return [FlagFigures(origin, rows[origin], found[origin]) for origin in sorted(found)]
