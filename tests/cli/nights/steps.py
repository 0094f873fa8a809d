"""The things that may happen between two nights, each said in a few words."""

import json
import os
from collections.abc import Callable

from tests.cli.nights.given import CHOICES, STATE, Walk

Step = Callable[[Walk], str]


def _insert(walk: Walk) -> str:
    walk.rows.insert(
        walk.chance.randrange(len(walk.rows) + 1), walk.new_row(walk.chance.randrange(999))
    )
    return "a row inserted"


def _delete(walk: Walk) -> str:
    if len(walk.rows) > 12:
        walk.rows.pop(walk.chance.randrange(len(walk.rows)))
    return "a row deleted"


def _edit(walk: Walk) -> str:
    row = walk.rows[walk.chance.randrange(len(walk.rows))]
    name = walk.chance.choice(["text", "kind", "n"])
    row[name] = walk.new_row(0)[name]
    return f"{name} edited"


def _double(walk: Walk) -> str:
    walk.rows.append(dict(walk.chance.choice(walk.rows)))
    return "a row doubled"


def _shuffle(walk: Walk) -> str:
    walk.chance.shuffle(walk.rows)
    return "rows shuffled"


def _swap(walk: Walk) -> str:
    """An edit of the same size."""
    first, second = walk.chance.sample(range(len(walk.rows)), 2)
    rows = walk.rows
    rows[first]["kind"], rows[second]["kind"] = rows[second]["kind"], rows[first]["kind"]
    return "two kinds exchanged"


def _retype(walk: Walk) -> str:
    kind = walk.chance.choice([int, str, float])
    for row in walk.rows:
        row["n"] = kind(len(str(row["n"])))
    return f"n is {kind.__name__}"


def _spoil(walk: Walk) -> str:
    walk.chance.choice(walk.rows)["n"] = {"a": [1]} if walk.chance.random() < 0.5 else "9"
    for row in walk.rows:
        if isinstance(row["n"], dict):
            row["n"] = json.dumps(row["n"])
    return "n of one row is another"


def _column(walk: Walk) -> str:
    has = "more" in walk.rows[0]
    for number, row in enumerate(walk.rows):
        row.pop("more", None)
        if not has:
            row["more"] = number
    return f"column more {'gone' if has else 'new'}"


def _setting(walk: Walk) -> str:
    name = walk.chance.choice(list(CHOICES))
    others = [value for value in CHOICES[name] if value != walk.settings[name]]
    walk.settings[name] = walk.chance.choice(others or CHOICES[name])
    return f"{name} = {walk.settings[name]}"


def _back(walk: Walk) -> str:
    walk.settings = {name: values[0] for name, values in CHOICES.items()}
    return "settings as at first"


def _nothing(walk: Walk) -> str:
    return "nothing"


def _fresh(walk: Walk) -> str:
    walk.mood, walk.is_fresh = walk.mood + 1, True
    return "--fresh, and the model answers otherwise"


def _example(walk: Walk) -> str:
    walk.settings["examples"], walk.example = "file", 1 - walk.example
    return "another example in the file of examples"


def _retry(walk: Walk) -> str:
    walk.is_retried = True
    return "dead letters reopened"


def _harm(walk: Walk) -> str:
    """An output is edited, cut, removed, touched, or put back as it was before."""
    output = walk.output
    path = walk.chance.choice([output, output.with_suffix(f".errors{output.suffix}"), output])
    if not path.exists():
        path = output
    if not path.exists():
        return "no output yet"
    content, seen = path.read_bytes(), path.stat()
    what = walk.chance.choice(["edited", "cut", "removed", "touched", "back-dated"])
    if what == "removed":
        path.unlink()
    elif what == "cut":
        path.write_bytes(content[:-1])
    elif what == "touched":
        os.utime(path)
    else:
        path.write_bytes(content.replace(b"o", b"0"))
        if what == "back-dated":
            os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    return f"{path.name} {what}"


def _forget(walk: Walk) -> str:
    path = walk.folder / STATE / "known.json"
    if path.exists():
        if walk.chance.random() < 0.5:
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[: walk.chance.randrange(200)])
    return "known.json harmed"


OF_ROWS: tuple[Step, ...] = (
    _insert, _insert, _delete, _edit, _edit, _double, _shuffle, _swap, _retype, _spoil, _column,
)  # fmt: skip
OTHERS: tuple[Step, ...] = (_back, _nothing, _harm, _harm, _forget, _example, _retry)


def _set(name: str, value: object) -> Step:
    def step(walk: Walk) -> str:
        walk.settings[name] = value
        return f"{name} = {value}"

    return step


TELLING: tuple[tuple[Step, ...], ...] = (
    (),
    (_fresh,),
    (_insert, _set("prompt", "Tell {{ text }} of {{ kind }}")),
    (_set("columns", ["response", "id", "flags"]),),
    (_edit, _set("signs.off", ["length", "shared"]), _harm),
)
"""Nights that show, in this order, most faults of what is kept: of flags, of carried requests, of
an output that is left alone."""


def some(walk: Walk) -> list[str]:
    """The things that happen before a night: to rows, to settings, to both, or to neither."""
    chance = walk.chance
    if chance.random() < 0.1:
        return [_fresh(walk)]
    steps: list[Step] = []
    if chance.random() < 0.6:
        steps += chance.choices(OF_ROWS, k=chance.randint(1, 2))
    if chance.random() < 0.7:
        steps += [_setting] * chance.randint(1, 2)
    if chance.random() < 0.3:
        steps.append(chance.choice(OTHERS))
    return [step(walk) for step in steps]
