"""Write 600 synthetic support tickets with gold labels: tickets.csv and tickets.jsonl.

Run it as `python samples/tickets/generate.py`; the files come out the same, byte for byte, on
every run. `generate.py 2000 more.csv` writes so many others, also held out.
`samples/model/train.py` imports `training_tickets` from here.

The tickets are HELD OUT: the demonstration model was never trained on any of them. That is more
than another seed. Each held-out ticket is built on a problem and a detail whose combination is
withheld from training (one in five combinations, chosen by hash), or on a problem sentence that
training never shows. Some names, products, cities and priority sentences are withheld as well.
On top of this, training skips any text that is equal to a held-out one.
"""

from __future__ import annotations

import csv
import io
import json
import random
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import phrases as ph

HELD_OUT_SEED = 417
HELD_OUT_ROWS = 600
CATEGORIES = tuple(ph.TOPICS)
PRIORITIES = tuple(ph.PRIORITY)
QUESTION_WORDS = ("can ", "do ", "does ", "how ", "is ", "what ", "when ", "where ", "which ")
COLUMNS = (
    "id", "team", "customer", "text", "gold_category", "gold_priority", "gold_order_id",
)  # fmt: skip


@dataclass(frozen=True)
class Ticket:
    """A text with its gold labels; `signed` says that the text names the customer."""

    text: str
    category: str
    priority: str
    order_id: str | None
    customer: str
    signed: bool


class Author:
    """Writes tickets for one side of the split, drawing everything from one seeded source."""

    def __init__(self, rng: random.Random, *, held_out: bool) -> None:
        self.rng = rng
        self.held_out = held_out

    def ticket(self, *, short: bool = False) -> Ticket:
        """One ticket; a short one has no greeting, noise or sign-off."""
        rng = self.rng
        category = rng.choice(CATEGORIES)
        priority = rng.choice(PRIORITIES)
        order_id = self.order_id() if rng.random() < 0.82 else None
        first = self.pick(ph.FIRST_NAMES, ph.WITHHELD_FIRST_NAMES)
        last = self.pick(ph.LAST_NAMES, ph.WITHHELD_LAST_NAMES)
        slots = {"first": first, "name": f"{first} {last}", "o": order_id or ""}
        front, body, tail = self.body(category, priority, order_id)
        signed = False
        if not short:
            front, body, tail, signed = self.frame(front, body, tail)
        text = self.fill(self.layout(front, body, tail), slots)
        return Ticket(text, category, priority, order_id, slots["name"], signed)

    def order_id(self) -> str:
        letters = "ORD" if self.rng.random() < 0.35 else self.rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ")
        return f"{letters}-{self.rng.randrange(10_000, 100_000)}"

    def body(
        self, category: str, priority: str, order_id: str | None
    ) -> tuple[list[str], list[str], list[str]]:
        """The sentences that carry the labels: before, in and after the main part."""
        rng = self.rng
        problem, detail = self.problem_and_detail(category)
        front: list[str] = []
        tail: list[str] = []
        question = problem.startswith(QUESTION_WORDS)
        if not question and rng.random() < 0.35:
            problem = f"{rng.choice(ph.OPENINGS)} {problem}"
        body = [detail] if detail else []
        place = rng.choice(("front", "inline", "inline", "sentence", "sentence", "tail"))
        if order_id is None:
            if rng.random() < 0.3:
                body.append(rng.choice(ph.ORDER_MISSING))
        elif place == "front":
            front.append(rng.choice(ph.ORDER_FRONT))
        elif place == "inline":
            problem += rng.choice(ph.ORDER_INLINE)
        elif place == "sentence":
            body.append(rng.choice(ph.ORDER_SENTENCE))
        else:
            tail.append(rng.choice(ph.ORDER_TAIL))
        if mood := self.mood(priority):
            body.append(mood)
        rng.shuffle(body)
        problem = problem[0].upper() + problem[1:] + ("?" if question else ".")
        body.insert(0 if rng.random() < 0.7 else rng.randrange(len(body) + 1), problem)
        return front, body, tail

    def problem_and_detail(self, category: str) -> tuple[str, str | None]:
        """A combination of this side of the split."""
        topic = ph.TOPICS[category]
        while True:
            problem = self.rng.choice(topic.problems)
            detail = self.rng.choice(topic.details)
            if withheld(problem, detail, topic) == self.held_out:
                break
        unseen = problem == topic.problems[-1]
        alone = self.rng.random() < 0.25 and (unseen or not self.held_out)
        return problem, None if alone else detail

    def mood(self, priority: str) -> str | None:
        """The sentence that gives the priority away; none often means normal."""
        if priority == "normal" and self.rng.random() < 0.55:
            return None
        sentences = ph.PRIORITY[priority]
        return self.rng.choice(sentences if self.held_out else sentences[:-1])

    def frame(
        self, front: list[str], body: list[str], tail: list[str]
    ) -> tuple[list[str], list[str], list[str], bool]:
        """Adds greeting, noise and sign-off."""
        rng = self.rng
        signed = False
        for _ in range(rng.choice((0, 0, 1, 1, 1, 2))):
            body.insert(rng.randrange(len(body) + 1), rng.choice(ph.NOISE))
        if rng.random() < 0.65:
            front = [*front, rng.choice(ph.GREETINGS) + " "]
        if rng.random() < 0.15:
            body.insert(0, rng.choice(ph.INTRO))
            signed = True
        elif rng.random() < 0.7:
            sign_off = rng.choice(ph.SIGN_OFFS)
            signed = "{name}" in sign_off
            tail.insert(rng.randrange(len(tail) + 1), sign_off)
        return front, body, tail, signed

    def layout(self, front: list[str], body: list[str], tail: list[str]) -> str:
        """One line, or paragraphs with real line breaks."""
        gap = self.rng.choice((" ", " ", "\n", "\n\n"))
        head = "".join(front)
        if head and gap != " " and self.rng.random() < 0.5:
            head = head.rstrip() + gap
        return gap.join([head + " ".join(body), *tail])

    def fill(self, text: str, slots: dict[str, str]) -> str:
        """Replaces the slots from left to right, each with a value not used before."""
        first, *parts = text.split("{")
        filled = first
        used: set[str] = set()
        for part in parts:
            name, rest = part.split("}", 1)
            value = slots.get(name) or self.value(name)
            while name not in slots and value in used:
                value = self.value(name)
            used.add(value)
            filled += value + rest
        return filled

    def value(self, name: str) -> str:
        """A fresh value for a slot."""
        rng = self.rng
        makers: dict[str, Callable[[], str]] = {
            "p": lambda: self.pick(ph.PRODUCTS, ph.WITHHELD_PRODUCTS),
            "city": lambda: self.pick(ph.CITIES, ph.WITHHELD_CITIES),
            "agent": lambda: rng.choice(ph.AGENTS),
            "n": lambda: str(rng.randrange(2, 31)),
            "num": lambda: str(rng.randrange(10_000, 1_000_000)),
            "year": lambda: str(rng.randrange(2009, 2026)),
            "track": lambda: f"{rng.randrange(1000, 9999)} {rng.randrange(1000, 9999)}",
            "amt": self.amount,
            "date": self.date,
            "phone": self.phone,
        }
        return makers[name]()

    def amount(self) -> str:
        number = f"{self.rng.randrange(5, 2500):,}.{self.rng.choice(('00', '50', '90', '99'))}"
        return self.rng.choice(("${}", "{} EUR", "€{}", "£{}")).format(number)

    def date(self) -> str:
        day, month = self.rng.randrange(1, 29), self.rng.randrange(12)
        styles = (
            f"{day} {ph.MONTHS[month]}",
            f"{ph.MONTHS[month]} {day}",
            f"2026-{month + 1:02}-{day:02}",
            f"{day}.{month + 1}.",
        )
        return self.rng.choice(styles)

    def phone(self) -> str:
        number = self.rng.randrange(100, 10_000)
        return self.rng.choice((f"555-{number:04}", f"+44 20 7946 {number:04}", f"(020) {number}"))

    def pick(self, common: tuple[str, ...], withheld_ones: tuple[str, ...]) -> str:
        """A common value; in held-out tickets half of the time one that training never shows."""
        if self.held_out and self.rng.random() < 0.5:
            return self.rng.choice(withheld_ones)
        return self.rng.choice(common)


def withheld(problem: str, detail: str, topic: ph.Topic) -> bool:
    """Whether a combination belongs to the held-out side."""
    return problem == topic.problems[-1] or zlib.crc32(f"{problem}|{detail}".encode()) % 5 == 0


def held_out_tickets(count: int = HELD_OUT_ROWS, seed: int = HELD_OUT_SEED) -> list[Ticket]:
    """Tickets without duplicates: the 600 of the sample, or others by another seed."""
    author = Author(random.Random(seed), held_out=True)
    tickets: dict[str, Ticket] = {}
    while len(tickets) < count:
        ticket = author.ticket()
        tickets.setdefault(ticket.text, ticket)
    return list(tickets.values())


def training_tickets(rng: random.Random, *, short: bool = False) -> Iterator[Ticket]:
    """An endless stream of training tickets, none of them held out."""
    forbidden = {ticket.text for ticket in held_out_tickets()}
    author = Author(rng, held_out=False)
    while True:
        ticket = author.ticket(short=short)
        if ticket.text not in forbidden:
            yield ticket


def records(tickets: list[Ticket]) -> list[dict[str, str | None]]:
    """Held-out tickets as rows of the sample files."""
    rng = random.Random(HELD_OUT_SEED + 1)
    return [
        {
            "id": f"{number:06}",
            "team": rng.choice(ph.TEAMS),
            "customer": ticket.customer,
            "text": ticket.text,
            "gold_category": ticket.category,
            "gold_priority": ticket.priority,
            "gold_order_id": ticket.order_id,
        }
        for number, ticket in enumerate(tickets, start=1)
    ]


def as_csv(rows: list[dict[str, str | None]]) -> bytes:
    """The rows as CSV, as bytes so that no platform changes line ends."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()


def main() -> None:
    """Writes both files next to this script, or a file of so many other tickets."""
    if len(sys.argv) == 3:
        count, name = int(sys.argv[1]), sys.argv[2]
        others = held_out_tickets(count, HELD_OUT_SEED + 2)
        Path(name).write_bytes(as_csv(records(others)))
        return
    folder = Path(__file__).parent
    rows = records(held_out_tickets())
    (folder / "tickets.csv").write_bytes(as_csv(rows))
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "tickets.jsonl").write_bytes("".join(lines).encode())


if __name__ == "__main__":
    main()
