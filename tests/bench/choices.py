"""`make bench-choice`: labels of several tokens against `LLM.generate` with the same choice.

With a real small model on real texts: the sample model knows its labels as single tokens.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import suite, workloads
from tests.bench.findings import Finding, at_least, compared, measured
from tests.bench.sides import Bench, Ran, Variant, generate, llmbatch
from tests.bench.table import Results, notes_of, rows_of

CASES = ("choice", "choice of alike", "classify")
LABELS = (
    "files and folders",
    "text and strings",
    "numbers and dates",
    "web and network",
    "processes and threads",
)
ALIKE = (
    "about files and folders",
    "about text and strings",
    "about numbers and dates",
    "about the web and networks",
    "about processes and threads",
)
"""Their first piece tells nothing."""
PROMPT = "What is this line from the documentation of a program about? {{ text }}"
MAX_TOKENS = 32
ENGINE = workloads.ENGINE | {"max_model_len": 1024}


@dataclass(frozen=True)
class Round:
    """Both sides of a round, and the rows on which they have the same label."""

    ours: Ran
    theirs: dict[str, Any]
    same: int

    @property
    def speeds(self) -> tuple[float, float]:
        """Rows a second of generation."""
        last = self.ours.last
        rows = self.theirs["requests"]
        return last["rows"] / last["generate_seconds"], rows / self.theirs["seconds"]


def measure(bench: Bench, case: str, labels: Sequence[str], rows: int) -> list[Finding]:
    """The findings of a case: how fast, and how many labels are the same."""
    source = workloads.write_rows(bench.folder / "lines.jsonl", workloads.docstrings(rows))
    planned: list[Any] = []
    rounds = []
    for number in range(bench.rounds):
        rounds.append(_round(bench, f"{case}{number}".replace(" ", "-"), source, labels, planned))
        ours, theirs = rounds[-1].speeds
        bench.say(
            f"  {case}, round {number + 1}: llmbatch {ours:.1f} rows/s, LLM.generate {theirs:.1f} "
            f"rows/s: {ours / theirs:.2f}; {rounds[-1].same:,} labels the same"
        )
    what = f"{rows:,} lines, five labels ({', '.join(labels[:2])}, ...), against LLM.generate"
    pairs = [each.speeds for each in rounds]
    same = [each.same for each in rounds]
    return [
        compared(case, what, "rows/s", pairs, at_least(1.6), _notes(rounds[-1])),
        # Its labels are those that are likelier by their own tokens, not by a grammar's pieces.
        measured(
            case,
            "the same labels",
            f"of {rows:,}",
            same,
            None if case == "classify" else at_least(rows),
        ),
    ]


def _round(
    bench: Bench, name: str, source: Path, labels: Sequence[str], planned: list[Any]
) -> Round:
    """A B in the first round, B A B A in the others: the baseline needs the planned order."""
    flags = _flags(name, labels)

    def run_ours() -> Ran:
        longest = None if name.startswith("classify") else MAX_TOKENS
        return llmbatch(bench, name, source, PROMPT, longest, *flags)

    ours = None if planned else run_ours()
    if ours is not None:
        planned.extend(ours.planned())
    variants = {"choice": Variant(planned, MAX_TOKENS, choice=labels)}
    theirs = generate(bench, f"{name}-baseline", variants)["choice"]
    ours = ours or run_ours()
    return Round(ours, theirs, same_labels(ours, planned, theirs["answers"]))


def _flags(name: str, labels: Sequence[str]) -> list[str]:
    """Those of a side of ours; its prompts are those of the other side."""
    by_own_tokens = name.startswith("classify")
    flag = "--label" if by_own_tokens else "--choice"
    first = ["--task", "classify", "--no-list-labels"] if by_own_tokens else []
    return [*first, *(word for label in labels for word in (flag, label))]


def same_labels(ours: Ran, planned: Sequence[Any], theirs: Sequence[str]) -> int:
    """On how many requests both sides have the same label; theirs are in the planned order."""
    rows = [json.loads(line) for line in ours.output.read_text().splitlines()]
    label = {workloads.prompt_of(PROMPT, row): row["response"] for row in rows}
    prompts = [messages[-1][1] for messages in planned]
    return sum(label[text] == other for text, other in zip(prompts, theirs, strict=True))


def _notes(last: Round) -> list[str]:
    ours, theirs = last.ours.last, last.theirs
    return [
        f"output tokens: llmbatch {ours['output_tokens']:,} (at least {ours['spared_tokens']:,} "
        f"spared), LLM.generate {theirs['output_tokens']:,}; steps {ours['steps']:,} and "
        f"{theirs['steps']:,}"
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="a folder: SmolLM2-135M-Instruct")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), metavar="NAME")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="into RESULTS-choice.md")
    given = parser.parse_args(arguments)
    labels = dict(zip(CASES, (LABELS, ALIKE, LABELS), strict=True))
    findings = []
    with tempfile.TemporaryDirectory(prefix="llmbatch-choice-") as folder:
        bench = Bench(Path(folder), given.rounds, {}, given.model, ENGINE)
        for case in given.only:
            findings += measure(bench, case, labels[case], given.rows)
    print("\n".join(["", *rows_of(findings), "", *notes_of(findings)]))
    if given.write:
        results = Results(Path(__file__).parent, "RESULTS-choice")
        results.put(findings, "make bench-choice")
        results.write(CASES)
    suite.leave([])


if __name__ == "__main__":
    main()
