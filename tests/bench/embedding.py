"""`make bench-embed`: vectors of many short texts, killed twice, against LLM.embed and a loop.

The texts are pairs of lines from Python's documentation. The other sides are in `embed_baseline`.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import suite, workloads
from tests.bench.findings import Finding, at_least, compared, measured
from tests.bench.measure import environment, spend
from tests.bench.table import Results, notes_of, rows_of

CASE = "embed"
ENGINE = {"enforce_eager": True, "dtype": "float32", "kv_cache_memory_bytes": 256 << 20}
_BASELINE = Path(__file__).with_name("embed_baseline.py")


@dataclass(frozen=True)
class Embedded:
    """The vectors of all texts in their order, and the seconds that making them took."""

    seconds: float
    vectors: Any


def texts(rows: int) -> list[str]:
    """Distinct short texts."""
    lines = [row["text"] for row in workloads.docstrings(rows)]
    count = len(lines)
    return [
        lines[number] if number < count else f"{lines[number % count]} {lines[number // count]}"
        for number in range(rows)
    ]


def command(source: Path, output: Path, model: str) -> list[str]:
    options = [
        word for name, value in ENGINE.items()
        for word in ("--engine-arg", f"{name}={json.dumps(value).strip(chr(34))}")
    ]  # fmt: skip
    job = ["-m", model, "-p", "{{ text }}", "--task", "embed", "-o", str(output), "--quiet"]
    return [sys.executable, "-m", "llmbatch", "run", str(source), *job, *options]


def ours(source: Path, output: Path, model: str) -> Embedded:
    """One undisturbed run of llmbatch."""
    spend(command(source, output, model), output.with_suffix(".log"))
    report = json.loads(output.with_suffix(".llmbatch").joinpath("report.json").read_bytes())
    return Embedded(report["last_run"]["generate_seconds"], np.load(output))


def killed(source: Path, output: Path, model: str, kills: int = 2) -> Any:
    """The vectors of a run that is killed so many times while it works."""
    status = output.with_suffix(".llmbatch") / "status.json"
    for part in range(1, kills + 1):
        wanted = part / (kills + 1)
        with subprocess.Popen(command(source, output, model), env=environment()) as process:
            while process.poll() is None and _share(status) < wanted:
                time.sleep(0.1)
            process.kill()
    spend(command(source, output, model), output.with_suffix(".log"))
    return np.load(output)


def _share(status: Path) -> float:
    try:
        progress = json.loads(status.read_bytes()).get("progress") or {}
        return float(progress["rows_done"]) / float(progress["rows"])
    except (OSError, ValueError, KeyError, ZeroDivisionError):
        return 0.0


def theirs(side: str, folder: Path, model: str, source: Path) -> Embedded:
    """One life of another side."""
    result = folder / f"{side}.result"
    words = [sys.executable, str(_BASELINE), side, model, str(source), str(result)]
    spend([*words, json.dumps(ENGINE)], folder / f"{side}.log")
    found = json.loads(result.read_text())
    return Embedded(found["seconds"], np.load(f"{result}.npy"))


def measure(folder: Path, model: str, rows: int, rounds: int) -> list[Finding]:
    given = texts(rows)
    listed, source = folder / "texts.json", folder / "in.jsonl"
    listed.write_text(json.dumps(given))
    workloads.write_rows(source, ({"id": str(n), "text": text} for n, text in enumerate(given)))
    pairs, ordered, looped = [], [], []
    for number in range(rounds):
        run = ours(source, folder / f"ours{number}.npy", model)
        vllm, by_length, loop = (
            theirs(side, folder, model, listed) for side in ("vllm", "sorted", "loop")
        )
        pairs.append((rows / run.seconds, rows / vllm.seconds))
        ordered.append((rows / by_length.seconds, rows / vllm.seconds))
        looped.append((rows / run.seconds, rows / loop.seconds))
        print(
            f"  round {number + 1}: {pairs[-1]}, by length {ordered[-1]}, loop {looped[-1]}",
            flush=True,
        )
        shutil.rmtree(folder / f"ours{number}.llmbatch")
    off = [float((run.vectors * other.vectors).sum(1).min()) for other in (vllm, loop)]
    same = int((killed(source, folder / "killed.npy", model) == run.vectors).all(1).sum())
    what = f"{rows:,} short texts"
    return [
        compared(CASE, f"{what} against LLM.embed on all", "rows/s", pairs, at_least(1.0)),
        compared(CASE, f"{what} against transformers, 32 at a time, by length, on all cores",
                 "rows/s", looped, at_least(0.0)),
        compared(CASE, "LLM.embed, the longest first, against the order as it is",
                 "rows/s", ordered, at_least(0.0)),
        measured(CASE, "the same vectors after two kills", f"of {rows:,}", [same], at_least(rows)),
        measured(CASE, "least cosine to LLM.embed and to transformers", "", off, at_least(0.9999)),
    ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="a folder: all-MiniLM-L6-v2")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="into RESULTS-embed.md")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="llmbatch-embed-") as folder:
        findings = measure(Path(folder), given.model, given.rows, given.rounds)
    print("\n".join(["", *rows_of(findings), "", *notes_of(findings)]))
    if given.write:
        results = Results(Path(__file__).parent, "RESULTS-embed")
        results.put(findings, "make bench-embed")
        results.write((CASE,))
    suite.leave([])


if __name__ == "__main__":
    main()
