"""Nights of a job: inputs drawn from one source, and the same with a change."""

import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import orjson

from llmbatch.core.records import Record
from llmbatch.quality.drift import taking
from llmbatch.quality.drift.profile import Profile
from llmbatch.store import snapshots
from llmbatch.store.database import Database
from llmbatch.store.snapshots import Row, Source

Night = list[dict[str, Any]]
Change = Callable[[Night, random.Random, float], Night]

TEAMS = ("billing", "refunds", "shipping", "accounts", "press")
_TEAM_WEIGHTS = (40, 25, 20, 10, 5)
_OPENINGS = ("Hello,", "Hi there,", "Good morning,", "Dear team,", "To whom it may concern,", "")
_THINGS = (
    "the mountain tent",
    "my new lamp",
    "the coffee machine",
    "a pair of boots",
    "the blue kettle",
    "the second invoice",
    "our yearly contract",
    "the last parcel",
    "the garden chair",
    "your mobile app",
    "the spare battery",
    "this heavy blanket",
)
_TROUBLES = (
    "does not switch on",
    "was charged twice",
    "has not arrived",
    "came with a scratch",
    "is not what I ordered",
    "stopped working after a week",
    "cannot be cancelled online",
    "was sent to my former address",
    "is missing from the order",
    "needs a new receipt",
)
_WISHES = (
    "Please send the money back.",
    "Can you tell me when it will be here?",
    "I would like to return it.",
    "There is no hurry.",
    "Somebody should call me back today.",
    "I have tried everything in the manual already.",
    "What should I do now?",
    "Thank you for your help.",
    "I am not happy with this at all.",
    "Is there a discount for regular customers?",
)
_NAMES = ("Amir", "Lena", "Sofia", "Tom", "Grace", "Ivan", "Mei", "Paulo", "Nora", "Jonas")
_GERMAN_THINGS = ("das neue Zelt", "die Kaffeemaschine", "meine letzte Rechnung", "der Gartenstuhl")
_GERMAN_TROUBLES = ("ist noch nicht angekommen", "wurde zweimal berechnet", "geht nicht mehr an")
_GERMAN_WISHES = ("Bitte schicken Sie mir das Geld zurück.", "Können Sie mir sagen, was ich jetzt "
    "tun soll?", "Ich möchte den Vertrag kündigen.", "Vielen Dank für Ihre Hilfe.")  # fmt: skip
COLUMNS = ["id", "team", "opened", "amount", "text", "note"]


def night(rng: random.Random, rows: int, number: int = 0) -> Night:
    """So many rows of the source. `number`: of the night, for what goes on with time."""
    day = date(2026, 11, 1) + timedelta(days=number)
    return [
        {
            "id": f"{number:04}-{row:06}",
            "team": rng.choices(TEAMS, _TEAM_WEIGHTS)[0],
            "opened": day.isoformat(),
            "amount": f"{rng.lognormvariate(3.5, 0.8):.2f}",
            "text": _text(rng),
            "note": None if rng.random() < 0.3 else f"seen by {rng.choice(_NAMES)}",
        }
        for row in range(rows)
    ]


def _text(rng: random.Random) -> str:
    wishes = rng.sample(_WISHES, rng.choice((1, 1, 2, 2, 3, 4)))
    order = f" (order {rng.randrange(10_000, 99_999)})"
    said = f"{rng.choice(_THINGS)} {rng.choice(_TROUBLES)}{order}. {' '.join(wishes)}"
    return f"{rng.choice(_OPENINGS)} {said} {rng.choice(_NAMES)}".strip()


def _german(rng: random.Random) -> str:
    wishes = " ".join(rng.sample(_GERMAN_WISHES, 2))
    return f"Guten Tag, {rng.choice(_GERMAN_THINGS)} {rng.choice(_GERMAN_TROUBLES)}. {wishes}"


def _in_some(column: str, make: Callable[[random.Random, Any], Any]) -> Change:
    """A change of one column in a share of the rows."""

    def change(rows: Night, rng: random.Random, share: float) -> Night:
        return [
            row | {column: make(rng, row[column])} if rng.random() < share else row for row in rows
        ]

    return change


def _duplicated(rows: Night, rng: random.Random, share: float) -> Night:
    """Rows whose text is that of an earlier row, in place of others."""
    return [
        row | {"text": rows[rng.randrange(place)]["text"]}
        if place and rng.random() < share
        else row
        for place, row in enumerate(rows)
    ]


CHANGES: dict[str, tuple[Change, str, str]] = {
    "a new category": (_in_some("team", lambda _, __: "returns"), "team", "new value"),
    "a language": (_in_some("text", lambda rng, _: _german(rng)), "text", "language"),
    "doubled lengths": (_in_some("text", lambda rng, old: f"{old} {_text(rng)}"), "text", "length"),
    "nulls": (_in_some("text", lambda _, __: None), "text", "missing"),
    "duplicated rows": (_duplicated, "text", "repeated"),
    "other numbers": (
        _in_some("amount", lambda _, old: f"{2 * float(old):.2f}"),
        "amount",
        "amount",
    ),
    "no numbers": (_in_some("amount", lambda _, __: "n/a"), "amount", "no number"),
}
"""Changes by name: how they are made, in which column, and the measure that tells them."""


def profile_of(db: Database, rows: Sequence[dict[str, Any]], digest: str) -> Profile:
    """The profile of these rows, read into a store."""
    items = [
        Row(n, row["id"], Record(n, orjson.dumps(row).decode())) for n, row in enumerate(rows, 1)
    ]
    source = Source("in.jsonl", "jsonl", digest, "id", COLUMNS)
    return taking.profile_of(db, snapshots.replace(db, items, lambda: source), "{{ text }}")
