"""`python tests/bench/ordering.py`: how long it takes to choose the order of a table's fields.

Reads a table, chooses the order of the fields of `{{ record }}` and plans the requests, in a
process of its own, and prints the seconds of each step, the peak of its memory, and what sorted
prompts then share. The table has what real ones have: fields that others determine, few values of
unequal frequency, an id that is unique, a long text that seldom repeats.
"""

import argparse
import random
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import planner, ready_job, record_order
from llmbatch.pipeline.rows import ingest
from llmbatch.store.opening import open_store

WORDS = (
    *("printer", "invoice", "login", "refund", "delivery", "password", "update", "screen"),
    *("battery", "cable", "order", "account", "broken", "missing", "late", "twice", "wrong"),
    *("slow", "locked", "again", "since", "yesterday", "after", "before", "with", "without"),
)
MIB = 1 << 20


def record(number: int, draw: random.Random, columns: int) -> dict[str, Any]:
    """One row of at most `columns` columns; the id is first, where it does most harm."""
    product = int(draw.paretovariate(1.2)) % 500
    shop = min(int(draw.paretovariate(0.8)), 60)
    row: dict[str, Any] = {
        "id": f"{number:09d}",
        "text": " ".join(draw.choices(WORDS, k=draw.randint(8, 24))),
        "product": f"P-{product:04d}",
        "shop": f"shop {shop} in the {('north', 'south', 'east', 'west')[shop % 4]}",
        "family": f"family {product // 25}: {WORDS[product // 25 % len(WORDS)]} and its parts",
        "region": ("north", "south", "east", "west")[shop % 4],
        "description": f"{WORDS[product % len(WORDS)]} {product}, "
        + "as the catalogue has it " * 4,
        "stars": min(int(draw.paretovariate(1.0)), 5),
    }
    for extra in range(len(row), columns):
        row[f"extra {extra}"] = f"value {int(draw.paretovariate(1 + extra / 10)) % (3 * extra)}"
    return dict(list(row.items())[:columns])


def write_input(path: Path, rows: int, columns: int) -> None:
    draw = random.Random(7)
    with path.open("wb") as stream:
        for number in range(rows):
            stream.write(orjson.dumps(record(number, draw, columns)) + b"\n")


@contextmanager
def step(name: str, seconds: dict[str, tuple[float, float]]) -> Iterator[None]:
    began, used = time.monotonic(), time.process_time()
    yield
    seconds[name] = time.monotonic() - began, time.process_time() - used


def peak_memory() -> int:
    """The most memory that this program had (bytes). The kernel's other figure, `ru_maxrss`, begins
    at that of the process by which it was started."""
    status = Path("/proc/self/status").read_text()
    (kibibytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kibibytes) * 1024


def measure(folder: Path, rows: int, columns: int) -> dict[str, Any]:
    """By step the seconds, and those of CPU; the order, what it saves, the peak memory in bytes."""
    source = folder / "in.jsonl"
    if not source.exists():
        write_input(source, rows, columns)
    spec = JobSpec.model_validate(
        {"input": str(source), "output": "o.jsonl", "model": "m", "prompt": "Sum up: {{ record }}"}
    )
    job = ready_job.make(spec)
    seconds: dict[str, tuple[float, float]] = {}
    with open_store(folder / "job.duckdb") as db:
        with step("read", seconds):
            snapshot = ingest.ingest(db, job.input, folder / "stdin")
        with step("choose", seconds):
            choice = record_order.measured(db, snapshot.source.columns)
            order = [snapshot.source.columns[place] for place in choice.order]
        with step("plan", seconds):
            planner.plan(db, job, snapshot, {"model": "m"}, order)
        peak = peak_memory()
    return {"seconds": seconds, "order": order, "peak": peak, "choice": choice}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--folder", type=Path, help="where to work; an input in it is used again")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="llmbatch-ordering-") as scratch:
        folder = given.folder or Path(scratch)
        folder.mkdir(exist_ok=True)
        print("\n".join(lines_of(measure(folder, given.rows, given.columns))))


def lines_of(found: dict[str, Any]) -> Iterator[str]:
    seconds, choice = found["seconds"], found["choice"]
    total = sum(took for took, _ in seconds.values()), sum(cpu for _, cpu in seconds.values())
    for name, (took, cpu) in {**seconds, "total": total}.items():
        yield f"{name:<8}{took:8.1f} s  {cpu:8.1f} s of CPU"
    yield f"peak memory {found['peak'] / MIB:,.0f} MiB"
    yield f"order: {', '.join(found['order'])}"
    yield (
        f"bytes of fields that the row before has too: {choice.saved / choice.total:.1%}, "
        f"in the input's order {choice.as_is / choice.total:.1%}"
    )


if __name__ == "__main__":
    main()
