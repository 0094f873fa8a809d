"""A table of how often each warning sign is right, on answers whose faults were marked by hand.

    python -m tests.quality.signs.verify [--tickets BIN]

`labelled/` has answers of SmolLM2-135M-Instruct to the 60 texts of `samples/texts` under four
prompts (those that it did not end are left out), and planted ones; each with the faults that a
reader marked, before the signs saw them. A fault is what the sign means, not its rule: an echo is
an answer that takes over most of the text or the prompt without doing what was asked.
With `--tickets` the bundled model answers the sample tickets (BIN has llmbatch), and `ungrounded`
is held against the order ids that are right.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmbatch.core.interval import share
from llmbatch.quality.signs import finding
from tests.quality.signs import stored

HERE = Path(__file__).parent
SAMPLES = Path(__file__).resolve().parents[3] / "samples"


@dataclass(frozen=True)
class Labelled:
    """A file of marked answers: its prompt, and the faults that were looked for in it."""

    name: str
    prompt: str
    signs: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)


FILES = (
    Labelled(
        "summaries",
        "Sum up this text in one short sentence.\n\nText: {{ t }}",
        ("echo", "repetition", "refusal", "leak"),
    ),
    Labelled(
        "german",
        "Fasse diesen Text in einem deutschen Satz zusammen.\n\nText: {{ t }}",
        ("echo", "repetition", "language"),
        {"language": "de"},
    ),
    Labelled(
        "titles",
        "{{ t }}\n\nGive the text above a title of at most six words.",
        ("echo", "repetition", "refusal"),
    ),
    Labelled(
        "questions",
        "Text: {{ t }}\nQuestion: Who is the person in the text, and what did they do in which "
        "year?\nAnswer:",
        ("echo", "repetition", "leak", "ungrounded", "refusal"),
        {"grounded": ["all"]},
    ),
    Labelled("planted", "{{ t }}", ("refusal", "leak", "empty", "one_word")),
)


@dataclass
class Score:
    """Of a sign: the answers that it flags, those that have the fault, and those that are both."""

    flagged: int = 0
    faulty: int = 0
    both: int = 0
    answers: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=Path, metavar="BIN")
    given = parser.parse_args()
    scores: dict[str, Score] = {}
    for labelled in FILES:
        measure(labelled, scores)
    lines = [_line(name, score) for name, score in sorted(scores.items())]
    print("| sign | flagged | of them right | with the fault | of them found | answers |")
    print("|---|---|---|---|---|---|")
    print("\n".join(lines))
    if given.tickets is not None:
        print(_tickets(given.tickets))


def measure(labelled: Labelled, scores: dict[str, Score]) -> None:
    """Add what the signs of a file find to their scores."""
    with (SAMPLES / "texts" / "texts.csv").open(encoding="utf-8", newline="") as stream:
        texts = {row["id"]: row["text"] for row in csv.DictReader(stream)}
    lines = (HERE / "labelled" / f"{labelled.name}.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    rows = [(record.get("text") or texts[record["id"]], record["answer"]) for record in records]
    spec = stored.spec(prompt=labelled.prompt, signs=labelled.settings)
    with tempfile.TemporaryDirectory() as folder, stored.job(Path(folder), rows) as db:
        flags = {(flag.row, flag.name) for flag in finding.found(db, spec)}
    for sign in labelled.signs:
        score = scores.setdefault(sign, Score())
        for row, record in enumerate(records, 1):
            is_flagged, is_faulty = (row, sign) in flags, sign in record["signs"]
            score.answers += 1
            score.flagged += is_flagged
            score.faulty += is_faulty
            score.both += is_flagged and is_faulty
            if is_flagged != is_faulty:
                print(labelled.name, record["id"], sign, "odd flag" if is_flagged else "missed",
                      file=sys.stderr)  # fmt: skip


def _line(name: str, score: Score) -> str:
    cells = [
        f"`{name}`", score.flagged, _part(score.both, score.flagged), score.faulty,
        _part(score.both, score.faulty), score.answers,
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def _part(some: int, of: int) -> str:
    if not of:
        return "-"
    found = share(some, of)
    return f"{some} = {some / of:.0%} ({found.low:.0%} to {found.high:.0%})"


def _tickets(bin_folder: Path) -> str:
    """The sign `ungrounded` against the right order ids of the tickets, and all other flags."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "answers.jsonl"
        job = [SAMPLES / "tickets" / "job.toml", "-o", output, "--meta", "--quiet"]
        command = [bin_folder / "llmbatch", "run", *job, "--grounded", "order_id"]
        done = subprocess.run([str(part) for part in command], check=False)
        if done.returncode not in (0, 3):
            raise SystemExit(done.returncode)
        records = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    score, others = Score(answers=len(records)), Counter[str]()
    for record in records:
        wrong = record["response"]["order_id"] != (record["gold_order_id"] or None)
        flagged = "ungrounded" in record["flags"]
        others.update(name for name in record["flags"] if name != "ungrounded")
        score.flagged += flagged
        score.faulty += wrong
        score.both += flagged and wrong
    told = ", ".join(f"{name} {rows}" for name, rows in others.items()) or "none"
    return f"tickets, wrong order ids:\n{_line('ungrounded', score)}\nother flags there: {told}"


if __name__ == "__main__":
    main()
