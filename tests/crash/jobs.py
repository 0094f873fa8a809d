"""The jobs that are killed: one for the scripted engine, one for vLLM and the sample model."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TICKETS = ROOT / "samples/tickets"
CHECKPOINT_SECONDS = 0.5


@dataclass(frozen=True)
class CrashJob:
    """A job without its output, and how to count what its engine computes.

    `rate`: answers a second at most, where it is known beforehand.
    """

    folder: Path
    flags: list[str]
    checkpoint_seconds: float
    ledger: Path | None = None
    rate: float | None = None

    def arguments(self, output: Path) -> list[str]:
        return ["run", *self.flags, "-o", str(output)]

    def computed(self) -> int | None:
        """Answers computed so far by all runs."""
        if self.ledger is None:
            return None
        return self.ledger.read_bytes().count(b"\n") if self.ledger.exists() else 0


def scripted(folder: Path, rows: int, delay: float = 0.005) -> CrashJob:
    """Rows of every fate: answered, duplicate, failed, truncated, rejected."""
    source, ledger = folder / "in.csv", folder / "ledger"
    with source.open("w") as stream:
        stream.write("id,text\n")
        for number in range(rows):
            stream.write(_scripted_row(number, rows))
    engine = {"delay": delay, "start_delay": 0.3, "order": "shuffle", "ledger": ledger}
    flags = [str(source), "-m", "m", "-p", "Say {{ text }}"]
    flags += ["--engine", "tests.scripted_engine:create"]
    flags += [
        part for name, value in engine.items() for part in ("--engine-arg", f"{name}={value}")
    ]
    flags += ["--checkpoint-seconds", str(CHECKPOINT_SECONDS), "--chunk-size", "300"]
    return CrashJob(ROOT, flags, CHECKPOINT_SECONDS, ledger, rate=1 / delay)


def _scripted_row(number: int, rows: int) -> str:
    if number % 400 == 399:
        return f"{number}\n"
    text = f"text {number % (rows - rows // 20)}"
    if number % 100 == 50:
        text += " FAIL:refused_request"
    if number % 100 == 75:
        text += " LENGTH"
    return f"{number},{text}\n"


def vllm(folder: Path, rows: int) -> CrashJob:
    """The sample tickets over and over, each with a number of its own."""
    source = folder / "in.jsonl"
    with (TICKETS / "tickets.csv").open(encoding="utf-8", newline="") as stream:
        tickets = list(csv.DictReader(stream))
    with source.open("w", encoding="utf-8") as stream:
        for number in range(rows):
            ticket = tickets[number % len(tickets)]
            row = ticket | {"id": str(number), "text": f"{ticket['text']} ({number})"}
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    return CrashJob(TICKETS, ["job.toml", "--input", str(source)], checkpoint_seconds=2.0)


ENGINES = {"scripted": scripted, "vllm": vllm}
