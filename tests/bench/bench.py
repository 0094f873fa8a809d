"""`make bench`: the generation phase of `llmbatch run` against `LLM.generate`.

Both get the same requests in the same order with the same engine settings; each measurement is
a process of its own with a fresh engine. The two alternate (A B B A ...), and what counts is the
ratio of each round, because machines are noisy and drift.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

ROOT = Path(__file__).parents[2]
TICKETS = ROOT / "samples/tickets/tickets.csv"
MODEL = ROOT / "samples/model"
PROMPT = "Write a short reply to the customer: {{ text }}"
MAX_TOKENS = 128
# As a user of the CPU engine would set it; both sides get exactly these.
ENGINE = {
    "max_num_seqs": 64,
    "max_model_len": 512,
    "block_size": 32,
    "enforce_eager": True,
    "enable_prefix_caching": True,
    "enable_chunked_prefill": False,
    "kv_cache_memory_bytes": 1 << 30,
}


@dataclass(frozen=True)
class Measured:
    """Seconds of generation, and the tokens generated meanwhile."""

    seconds: float
    tokens: int

    @property
    def throughput(self) -> float:
        return self.tokens / self.seconds


def write_input(path: Path, rows: int) -> None:
    """Distinct rows: the sample tickets over and over, each with a number of its own."""
    with TICKETS.open(encoding="utf-8", newline="") as stream:
        texts = [row["text"] for row in csv.DictReader(stream)]
    with path.open("w", encoding="utf-8") as stream:
        for number in range(rows):
            text = f"{texts[number % len(texts)]} ({number})"
            stream.write(json.dumps({"id": number, "text": text}) + "\n")


def llmbatch(source: Path, output: Path) -> Measured:
    """One run of llmbatch in a state of its own; the figures are those of its report."""
    arguments = [sys.executable, "-m", "llmbatch", "run", str(source), "-o", str(output)]
    arguments += ["-m", str(MODEL), "-p", PROMPT, "--max-tokens", str(MAX_TOKENS), "--quiet"]
    for name, value in ENGINE.items():
        arguments += ["--engine-arg", f"{name}={json.dumps(value)}"]
    finished = subprocess.run(arguments, cwd=ROOT, check=False)
    # Exit code 3: some replies were cut off. LLM.generate computes those, too.
    if finished.returncode not in (0, 3):
        raise SystemExit(f"llmbatch run ended with {finished.returncode}")
    report = json.loads(output.with_suffix(".llmbatch").joinpath("report.json").read_bytes())
    last = report["last_run"]
    return Measured(last["generate_seconds"], last["output_tokens"])


def planned_messages(output: Path) -> list[list[list[str]]]:
    """The requests of a run in the order in which it ran them."""
    store = output.with_suffix(".llmbatch") / "job.duckdb"
    with duckdb.connect(str(store), read_only=True) as connection:
        found = connection.execute("SELECT messages FROM requests ORDER BY position").fetchall()
    return [json.loads(messages) for (messages,) in found]


def generate_all(requests: Path) -> Measured:
    """`LLM.generate` on all prompts at once, in a process of its own."""
    task = {"model": str(MODEL), "engine": ENGINE, "max_tokens": MAX_TOKENS}
    result = requests.with_suffix(".result")
    script = Path(__file__).with_name("generate_all.py")
    subprocess.run(
        [sys.executable, str(script), str(requests), str(result)],
        input=json.dumps(task),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    measured = json.loads(result.read_text())
    return Measured(measured["seconds"], measured["tokens"])


def compare(folder: Path, rows: int, rounds: int) -> list[tuple[Measured, Measured]]:
    """Rounds of (llmbatch, LLM.generate)."""
    source, requests = folder / "rows.jsonl", folder / "requests.json"
    write_input(source, rows)
    pairs = []
    for number in range(rounds):
        output = folder / f"out{number}.jsonl"
        if number % 2 == 0:
            ours = llmbatch(source, output)
            requests.write_text(json.dumps(planned_messages(output)))
            theirs = generate_all(requests)
        else:
            theirs = generate_all(requests)
            ours = llmbatch(source, output)
        if ours.tokens != theirs.tokens:
            raise SystemExit(f"not the same work: {ours.tokens} and {theirs.tokens} tokens")
        pairs.append((ours, theirs))
        print(_row(str(number + 1), ours, theirs), flush=True)
    return pairs


def _row(label: str, ours: Measured, theirs: Measured) -> str:
    ratio = ours.throughput / theirs.throughput
    return f"| {label} | {ours.seconds:.2f} | {theirs.seconds:.2f} | {ratio:.3f} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    print(f"{given.rows} rows, up to {MAX_TOKENS} output tokens, checkpoints on")
    print("| round | llmbatch, s | LLM.generate, s | throughput ratio |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        pairs = compare(Path(folder), given.rows, given.rounds)
    ratios = [ours.throughput / theirs.throughput for ours, theirs in pairs]
    print(
        f"ratio: median {statistics.median(ratios):.3f}, "
        f"min {min(ratios):.3f}, max {max(ratios):.3f}; {pairs[0][0].tokens} tokens each"
    )


if __name__ == "__main__":
    main()
