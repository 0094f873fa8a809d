"""`make verify-feedback`: invalid answers that a retry mends, told what was wrong against not told.

A small real model, asked for forms that it breaks often; it is only checked, so that a grammar does
not mend them first. Both sides have the same first tries, and retries of the same seeds.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from llmbatch.store.opening import open_store

ROOT = Path(__file__).parents[2]
TICKETS = ROOT / "samples" / "tickets"
CATEGORIES = ("billing", "refund", "shipping", "account", "technical", "cancellation", "product")
_CHOICES = [word for name in CATEGORIES for word in ("--choice", name)]
TASKS: Mapping[str, tuple[str, Sequence[str]]] = {
    "one label": (
        "Which of these is the message about: " + ", ".join(CATEGORIES) + "? Answer with that one "
        "word, in lower case.\n\n{{ text }}",
        _CHOICES,
    ),
    "three fields": (
        'Answer as JSON alone: {"category": one of ' + ", ".join(CATEGORIES) + ', "priority": one '
        'of low, normal, high, urgent, "order_id": the order id or null}.\n\n{{ text }}',
        ("--schema", str(TICKETS / "schema.json")),
    ),
    "order id": (
        "Write the order id of this message, such as A-12345, or the word none.\n\n{{ text }}",
        ("--regex", "([A-Z]|ORD)-[0-9]{5}|none"),
    ),
}
"""A prompt and the flags of a form, by name."""
_DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Retried:
    """The requests whose first answer broke the form: whether the second one kept it, by key; and
    the prompt tokens of the second tries, with those of them that the cache served."""

    mended: Mapping[str, bool]
    prompt: int
    cached: int


def run(folder: Path, model: str, source: Path, task: str, ends: float, *more: str) -> Retried:
    """One run of a task, each request tried twice at most; with answers that are there nothing is
    computed. `ends`: when it has to stop (`time.monotonic`)."""
    prompt, form = TASKS[task]
    command = [
        *(sys.executable, "-m", "llmbatch", "run", str(source), "-m", model, "-p", prompt, *form),
        *("--constrain", "check", "-o", "out.jsonl", "--attempts", "2", "--max-tokens", "64"),
        *("--fail-fast", "off", "--engine-arg", "max_model_len=1024", "--quiet"),
        *("--engine-arg", "max_num_seqs=32", "--engine-arg", "enforce_eager=true"),
        *("--engine-arg", "dtype=float32", "--engine-arg", "block_size=32", *more),
    ]
    child = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        _, said = child.communicate(timeout=max(1.0, ends - time.monotonic()))
    except subprocess.TimeoutExpired:
        child.terminate()
        child.communicate()
        raise SystemExit("time is over: the same command goes on from here") from None
    if child.returncode not in (0, 3):
        raise SystemExit(said)
    with open_store(folder / "out.llmbatch" / "job.duckdb", read_only=True) as db:
        found = db.execute(
            "SELECT CAST(key AS VARCHAR), verdict = 'answered', prompt_tokens, cached_tokens"
            " FROM attempts WHERE attempt = 2 AND key IN (SELECT key FROM attempts"
            " WHERE attempt = 1 AND kind = 'invalid_output')"
        )
    mended = {key: is_mended for key, is_mended, _, _ in found}
    return Retried(mended, sum(row[2] for row in found), sum(row[3] for row in found))


def compare(folder: Path, model: str, source: Path, task: str, ends: float) -> dict[str, Any]:
    """Both sides of a task."""
    sides = []
    for name in ("plain", "told"):
        place = folder / f"{task.replace(' ', '-')}-{name}"
        place.mkdir(parents=True, exist_ok=True)
        flags = ["--feedback"] if name == "told" else []
        sides.append(run(place, model, source, task, ends, *flags))
    plain, told = sides
    keys = sorted(plain.mended.keys() & told.mended.keys())
    gained = np.array([told.mended[key] - plain.mended[key] for key in keys], dtype=float)
    low, high = interval(gained) if keys else (0.0, 0.0)
    return {
        "task": task,
        "invalid": len(keys),
        "plain": sum(plain.mended[key] for key in keys),
        "told": sum(told.mended[key] for key in keys),
        "points": 100 * float(gained.mean()) if keys else 0.0,
        "low": 100 * low,
        "high": 100 * high,
        "prompt_ratio": told.prompt / max(1, plain.prompt),
        "cached_share": told.cached / max(1, told.prompt),
    }


def interval(gained: np.ndarray) -> tuple[float, float]:
    """95 % of the mean of paired differences, by the percentile bootstrap (Efron 1979)."""
    drawn = np.random.default_rng(0).integers(0, len(gained), (_DRAWS, len(gained)))
    low, high = np.quantile(gained[drawn].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--task", action="append", choices=list(TASKS))
    parser.add_argument("--folder", type=Path, default=Path("feedback"), help="keeps the answers")
    parser.add_argument("--seconds", type=float, default=1e6, help="stop then; go on later")
    args = parser.parse_args()
    folder, ends = args.folder.resolve(), time.monotonic() + args.seconds
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "tickets.jsonl"
    lines = (TICKETS / "tickets.jsonl").read_text().splitlines()[: args.rows]
    texts = [json.dumps({"text": json.loads(line)["text"]}) for line in lines]
    source.write_text("\n".join(texts))
    print("task          invalid  mended: plain  told   difference (points, 95 %)   prompts")
    for task in args.task or TASKS:
        found = compare(folder, str(Path(args.model).resolve()), source, task, ends)
        print(
            "{task:13} {invalid:7} {plain:14} {told:5}   {points:+.1f} ({low:+.1f} to "
            "{high:+.1f})   {prompt_ratio:.2f} times, {cached_share:.0%} cached".format(**found),
            flush=True,
        )


if __name__ == "__main__":
    main()
