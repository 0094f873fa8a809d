"""Ordinary rows with right answers, among which the wrong ones stand.

Some signs compare an answer with the others of its job: their lengths, their language, answers that
rows share. Without such rows these would have nothing to compare with.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

Pair = tuple[dict[str, Any], Any]
"""A row and its right answer."""
ROWS = 40
_TICKETS = Path(__file__).parents[3] / "samples" / "tickets" / "tickets.jsonl"
_PLACES = {
    "the old mill": "der alten Mühle", "the harbour": "dem Hafen", "the town hall": "dem Rathaus",
    "the station": "dem Bahnhof", "the castle": "dem Schloss", "the bridge": "der Brücke",
    "the market": "dem Markt", "the school": "der Schule", "the museum": "dem Museum",
    "the theatre": "dem Theater",
}  # fmt: skip
_THINGS = (
    "lamp",
    "tent",
    "kettle",
    "drill",
    "bicycle",
    "stove",
    "radio",
    "ladder",
    "pump",
    "scale",
)
_FIRMS = (
    "Alder",
    "Brook",
    "Cedar",
    "Dunmore",
    "Elm",
    "Fenwick",
    "Grove",
    "Heath",
    "Ivy",
    "Juniper",
)
_TOWNS = {
    "Bremen": ("28195", "DE"), "Nantes": ("44000", "FR"), "Turin": ("10121", "IT"),
    "Graz": ("8010", "AT"), "Utrecht": ("3511", "NL"), "Porto": ("4000", "PT"),
    "Aarhus": ("8000", "DK"), "Ghent": ("9000", "BE"), "Malmö": ("21119", "SE"),
    "Bilbao": ("48001", "ES"),
}  # fmt: skip
_MONTHS = ("January", "March", "May", "July", "October")


def pairs(task: str) -> list[Pair]:
    """The ordinary rows of a task, the same ones each time."""
    return [pair for pair, _ in zip(_MAKERS[task](random.Random(1)), range(ROWS), strict=False)]


def _classify(_: random.Random) -> Iterator[Pair]:
    for line in _TICKETS.read_text().splitlines():
        ticket = json.loads(line)
        status = "open" if ticket["gold_order_id"] else "none"
        yield {"text": ticket["text"], "status": status}, ticket["gold_category"]


def _extract(drawn: random.Random) -> Iterator[Pair]:
    while True:
        firm = f"{drawn.choice(_FIRMS)} {drawn.choice(('Supplies', 'Works', 'Trading'))} Ltd"
        number, month = f"{drawn.choice('KMR')}-{drawn.randrange(1000, 9999)}", drawn.randrange(12)
        day, net = drawn.randrange(1, 28), 10.0 * drawn.randrange(3, 300)
        tax = round(net / 5, 2)
        date = f"2025-{month + 1:02}-{day:02}"
        text = (
            f"{firm}. Invoice {number} of {date}. Net {net:.2f} EUR, VAT {tax:.2f} EUR, "
            f"total {net + tax:.2f} EUR."
        )
        amounts = {"net": net, "tax": tax, "total": net + tax, "currency": "EUR"}
        yield {"text": text}, {"vendor": firm, "number": number, "date": date} | amounts


def _summarise(drawn: random.Random) -> Iterator[Pair]:
    while True:
        place, other = drawn.sample(list(_PLACES), 2)
        month, weeks = drawn.choice(_MONTHS), drawn.randrange(2, 12)
        thing, firm = drawn.choice(_THINGS), drawn.choice(_FIRMS)
        if drawn.random() < 0.5:
            text = (
                f"The road from {place} to {other} is closed for {weeks} weeks from {month} on. A "
                f"pipe below it is older than the road and has begun to leak. The {firm} company "
                "does the work, and cars are led around by the fields."
            )
            said = (
                f"From {month} on the road at {place} is closed for {weeks} weeks to mend a pipe."
            )
        else:
            text = (
                f"At {place} a new club meets each week, in which people mend what is broken. The "
                f"first thing that they mended was a {thing}. In {month} they move to {other}, "
                "where they have more room and can leave their tools."
            )
            said = f"A club that mends things meets at {place} and moves to {other} in {month}."
        yield {"text": text}, said


def _translate(drawn: random.Random) -> Iterator[Pair]:
    frames = (
        ("Please wait in front of {} until the guide comes to meet you.",
         "Bitte warten Sie vor {}, bis die Führerin Sie abholt."),
        ("You will find a list of all the prices at {}, next to the entrance.",
         "Eine Liste aller Preise finden Sie an {}, neben dem Eingang."),
        ("The people who live next to {} have asked for less noise at night.",
         "Die Leute, die neben {} wohnen, haben um weniger Lärm in der Nacht gebeten."),
        ("If it rains on that day, we will meet inside, not far from {}.",
         "Wenn es an dem Tag regnet, treffen wir uns drinnen, nicht weit von {}."),
    )  # fmt: skip
    chosen = [(pair, place) for pair in frames for place in _PLACES.items()]
    drawn.shuffle(chosen)
    for (english, german), (place, ort) in chosen:
        yield {"text": english.format(place)}, german.format(ort)


def _normalise(drawn: random.Random) -> Iterator[Pair]:
    while True:
        town = drawn.choice(list(_TOWNS))
        postcode, country = _TOWNS[town]
        name = f"{drawn.choice(_FIRMS)} {drawn.choice(('Foods', 'Metals', 'Print'))}"
        street = f"{drawn.choice(('Parkallee', 'Ringweg', 'Viale Nuovo'))} {drawn.randrange(1, 90)}"
        vat = f"{country}{drawn.randrange(10**8, 10**9)}" if drawn.random() < 0.5 else None
        raw = f"{name.upper()}; {street}; {postcode} {town}; {vat or 'no VAT'}; {country}"
        address = {"street": street, "postcode": postcode, "city": town, "country": country}
        yield {"raw": raw}, {"name": name} | address | {"vat_id": vat}


def _answer(drawn: random.Random) -> Iterator[Pair]:
    while True:
        thing, firm = drawn.choice(_THINGS), drawn.choice(_FIRMS)
        weight, price = drawn.randrange(2, 40), drawn.randrange(50, 900)
        says = f"The {thing} of {firm} weighs {weight} kilos", f"costs {price} euros"
        row = {"document": f"{says[0]} and {says[1]}. It is sent within two days."}
        if drawn.random() < 0.5:
            asked = f"How heavy is the {thing} of {firm}?"
            yield row | {"question": asked}, {"answer": f"{weight} kilos", "quote": says[0]}
        else:
            asked = f"What is the price of the {thing} of {firm}?"
            yield row | {"question": asked}, {"answer": f"{price} euros", "quote": says[1]}


_MAKERS: Mapping[str, Callable[[random.Random], Iterator[Pair]]] = {
    "classify": _classify,
    "extract": _extract,
    "summarise": _summarise,
    "translate": _translate,
    "normalise": _normalise,
    "answer": _answer,
}
TASKS = tuple(_MAKERS)
