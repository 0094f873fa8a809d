"""The names of columns: those of a header, and names for columns that have none of their own."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

# So many columns are named in one line.
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Header:
    """The names of the columns that are kept, `kept` being their positions from 0 (None: all), of
    `width` fields; `notes`: a line for each thing to know of the names."""

    names: list[str]
    width: int
    kept: list[int] | None
    notes: list[str]


def nameless(fields: Sequence[str]) -> list[int]:
    """The positions of the fields without a name, from 0."""
    return [position for position, field in enumerate(fields) if not field.strip()]


def numbered(width: int) -> Header:
    """The names of columns without a header."""
    return Header([f"column_{number}" for number in range(1, width + 1)], width, None, [])


def make(fields: Sequence[str], empty: Collection[int]) -> Header:
    """The columns of a header; of those without a name the `empty` ones, without a value in any
    record, are left out."""
    kept = [position for position in range(len(fields)) if position not in empty]
    names = {position: fields[position] for position in kept}
    notes = [_left_out(sorted(empty))] if empty else []
    taken = {name for name in names.values() if name.strip()}
    unnamed, repeated = [], []
    first: dict[str, int] = {}
    for position in kept:
        name = names[position]
        if not name.strip():
            names[position] = _free(f"column_{position + 1}", taken)
            unnamed.append(f"column {position + 1} is called {names[position]!r}")
        elif name in first:
            names[position] = _free(f"{name}_2", taken, name)
            repeated.append(
                f"columns {first[name] + 1} and {position + 1} are both named {name!r}: the second "
                f"is called {names[position]!r}"
            )
        else:
            first[name] = position
    notes += [f"without a name: {_list(unnamed)}"] if unnamed else []
    notes += [_list(repeated)] if repeated else []
    padded = [repr(name) for name in first if name != name.strip()]
    notes += [f"blanks are part of the names {_list(padded)}"] if padded else []
    return Header(list(names.values()), len(fields), kept if empty else None, notes)


def _free(wanted: str, taken: set[str], stem: str = "") -> str:
    """A name that no other column has."""
    name, number = wanted, 2
    while name in taken:
        number += 1
        name = f"{stem or wanted}_{number}"
    taken.add(name)
    return name


def _left_out(positions: Sequence[int]) -> str:
    if len(positions) == 1:
        return f"column {positions[0] + 1} has neither a name nor values: left out"
    listed = _list([str(position + 1) for position in positions])
    return f"columns {listed} have neither names nor values: left out"


def _list(texts: Sequence[str]) -> str:
    more = len(texts) - _MOST_NAMED
    return ", ".join(texts[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
