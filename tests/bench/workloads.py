"""The inputs of the suite, the same at every call, and the settings that all sides share."""

import ast
import csv
import itertools
import json
import random
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TICKETS = ROOT / "samples/tickets/tickets.csv"
MODEL = ROOT / "samples/model"
REPLY = "Write a short reply to the customer: {{ text }}"
"""The sample model answers with 4 to 92 tokens, by the urgency of the ticket."""
LABEL = "Classify the ticket: {{ text }}"
RECORD = "Classify the ticket: {{ record }}"
MAX_TOKENS = 128
# As a user of the CPU engine would set it; all sides get exactly these.
ENGINE: dict[str, Any] = {
    "max_num_seqs": 128,
    "max_num_batched_tokens": 4096,
    "max_model_len": 512,
    "block_size": 32,
    "enforce_eager": True,
    "enable_prefix_caching": True,
    "enable_chunked_prefill": False,
    "kv_cache_memory_bytes": 1 << 30,
}
# Holds what runs at once and little more, as a cache does that many prefixes compete for.
SMALL_CACHE: dict[str, Any] = {"num_gpu_blocks_override": 512, "max_num_seqs": 32}
WORDS = ("printer", "invoice", "login", "refund", "delivery", "password", "update", "screen")

_NOT_OF_THE_LIBRARY = ("site-packages", "test", "idlelib")

Row = dict[str, str]


@cache
def tickets() -> tuple[Row, ...]:
    with TICKETS.open(encoding="utf-8", newline="") as stream:
        return tuple(csv.DictReader(stream))


def _text(number: int) -> str:
    """One of the sample tickets, over and over, made distinct by its number."""
    texts = tickets()
    return f"{texts[number % len(texts)]['text']} ({number})"


def replies(rows: int) -> Iterator[Row]:
    """Distinct rows whose answers differ in length."""
    for number in range(rows):
        yield {"id": str(number), "text": _text(number)}


def labels(rows: int) -> Iterator[Row]:
    """Distinct short rows with answers of a few tokens."""
    for number in range(rows):
        word, other = WORDS[number % 8], WORDS[number // 8 % 8]
        yield {"id": str(number), "text": f"{word} and {other} {number}"}


def duplicates(rows: int, share: float = 0.3) -> Iterator[Row]:
    """Of all rows, `share` ask what another row asks; they lie among the others at random."""
    repeated = round(rows * share)
    distinct = rows - repeated
    chance = random.Random(30)
    numbers = [*range(distinct), *chance.choices(range(distinct), k=repeated)]
    chance.shuffle(numbers)
    for place, number in enumerate(numbers):
        yield {"id": str(place), "text": _text(number)}


def long_last(rows: int, share: float = 0.06, among: int = 25) -> Iterator[Row]:
    """Tickets of which the long ones have the long answers; the last `share` are all long.

    Before them every one of `among` rows is long, so that the relation can be seen. The number
    comes first in the text, so sorting the prompts leaves the long ones at the end.
    """
    short_texts = [ticket["text"] for ticket in tickets() if ticket["gold_priority"] == "low"]
    long_texts = [ticket["text"] for ticket in tickets() if ticket["gold_priority"] == "urgent"]
    first_of_the_end = rows - max(1, round(rows * share))
    for number in range(rows):
        if number >= first_of_the_end or number % among == 0:
            parts = [long_texts[(number + more) % len(long_texts)] for more in range(3)]
            text = " ".join(parts)
        else:
            text = short_texts[number % len(short_texts)]
        yield {"id": str(number), "text": f"Ticket {number:06d}: {text}"}


def shared_fields(rows: int, repeats: int = 1) -> Iterator[Row]:
    """A table of which a distinct field comes first and most others are shared by many rows.

    `product` decides `description`; `policy` has five values; `repeats` makes both longer.
    """
    chance = random.Random(6)
    policies = [_prose(chance, 24 * repeats) for _ in range(5)]
    products = [(f"product {number:02d}", _prose(chance, 20 * repeats)) for number in range(40)]
    for number in range(rows):
        product, description = chance.choice(products)
        yield {
            "id": f"{number:05d}",
            "note": f"{chance.choice(WORDS)} {number * 7919 % 100_000}",
            "product": product,
            "description": description,
            "team": chance.choice(("north", "south", "east", "west")),
            "policy": chance.choice(policies),
        }


def _prose(chance: random.Random, words: int) -> str:
    """Words as they stand in tickets, in no order."""
    known = [word for ticket in tickets()[:50] for word in ticket["text"].split()]
    return " ".join(chance.choices(known, k=words))


def docstrings(rows: int) -> Iterator[Row]:
    """Real texts that every machine has: first lines of the docstrings in Python's library."""
    library = Path(sysconfig.get_paths()["stdlib"])
    paths = sorted([*library.glob("*.py"), *library.glob("*/*.py")])
    own = (path for path in paths if path.parent.name not in _NOT_OF_THE_LIBRARY)
    seen = set[str]()
    for text in itertools.chain.from_iterable(map(_first_lines, own)):
        if text not in seen:
            yield {"id": str(len(seen)), "text": text}
            seen.add(text)
        if len(seen) == rows:
            return


def _first_lines(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            text = (ast.get_docstring(node) or "").partition("\n")[0].strip()
            if len(text.split()) >= 5:
                yield text


def write_rows(path: Path, rows: Iterator[Row]) -> Path:
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def prompt_of(template: str, row: Row) -> str:
    """The text that a template of this module makes of a row whose fields keep their order."""
    from llmbatch.core.exact_json import dump_record

    text = template.replace("{{ record }}", dump_record(dict(row)))
    return text.replace("{{ text }}", row.get("text", ""))


def messages_of(template: str, rows: Iterator[Row]) -> list[list[list[str]]]:
    """The requests of a table in its own order, each a list of (role, content)."""
    return [[["user", prompt_of(template, row)]] for row in rows]


def write_batch(
    path: Path, template: str, rows: Iterator[Row], model: str, max_tokens: int
) -> Path:
    """The same requests as a file for `vllm run-batch`."""
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            message = {"role": "user", "content": prompt_of(template, row)}
            body: Mapping[str, Any] = {
                "model": model,
                "messages": [message],
                "temperature": 0,
                "max_tokens": max_tokens,
            }
            line = {
                "custom_id": row["id"],
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": body,
            }
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    return path
