"""The names of the columns of a table that need not have any of their own."""

from collections.abc import Sequence


def own_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """A name of its own for each column, and a line for each that had none: nameless columns are
    called column_N, those that are called like another get a number."""
    columns: list[str] = []
    notes = []
    for number, given in enumerate(names, 1):
        wanted = name = given if given.strip() else f"column_{number}"
        copy = 1
        while name in columns or (name != given and name in names):
            copy += 1
            name = f"{wanted}_{copy}"
        columns.append(name)
        if name != given:
            fault = f"is called {given!r} like another" if given.strip() else "has no name"
            notes.append(f"column {number} {fault}: called {name}")
    return columns, notes
