"""The table of the versions that made the answers, which all forms of a report share."""

from collections.abc import Sequence

from llmbatch.core.units import number
from llmbatch.quality.made_by import MadeBySet
from llmbatch.reports.table import NONE, Table, TableLine, places

_MOST_RUNS = 6
_PARTS = ("fingerprint", "template", "examples", "form", "rules", "sampling")


def table(sets: Sequence[MadeBySet], notes: Sequence[str] = ()) -> Table:
    """The sets of versions. `notes`: on what would not come out alike."""
    header = ["made by", "rows", "runs", "model", *_PARTS, "adapters", "engine", "llmbatch"]
    texts = places(header, *(name for name in header if name != "rows"))
    lines = [TableLine([*_cells(each)]) for each in sets]
    return Table("made_by", "Made by", header, lines, texts=texts, notes=notes)


def _cells(given: MadeBySet) -> list[str]:
    versions = given.versions
    more = ", ..." if len(given.runs) > _MOST_RUNS else ""
    return [
        given.name,
        number(given.rows),
        ", ".join(map(str, given.runs[-_MOST_RUNS:])) + more,
        versions.model,
        *(getattr(versions, part) or NONE for part in _PARTS),
        ", ".join(f"{name} {digest}" for name, digest in versions.adapters.items()) or NONE,
        f"{versions.engine} {versions.engine_version or ''}".strip() if versions.engine else NONE,
        versions.llmbatch,
    ]
