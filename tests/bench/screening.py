"""The cost of keeping control tokens out of rows: planning and encoding with and without, in turn.

Run as `python -m tests.bench.screening [--rows N] [--rounds N]`; prints JSON: processor seconds for
100,000 rows (medians), and the median over the rounds of the ratio of with to without.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from llmbatch.core.records import ChatSettings, Message
from llmbatch.engines import control_tokens
from llmbatch.engines.vllm import chat_tokenizer
from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import planner, ready_job
from llmbatch.pipeline.prompts.screening import Screening
from llmbatch.pipeline.rows import ingest
from llmbatch.store.opening import open_store

MODEL = Path(__file__).parents[2] / "samples" / "model"
TEXT = "Ticket %s: my order X-16005 has not come, <b>please</b> look & say when [urgent]. " * 4
PROMPT = "Classify the mail as billing, refund or technical. Mail: {{ text }}"


def measure(action: Callable[[], object]) -> float:
    began = time.process_time()
    action()
    return time.process_time() - began


def planning(folder: Path, rows: int, rounds: int) -> list[tuple[float, float]]:
    """Processor seconds of planning all rows: without, and with the search."""
    lines = (json.dumps({"text": TEXT % ((number,) * 4)}) for number in range(rows))
    (folder / "in.jsonl").write_text("\n".join(lines))
    table = {"input": str(folder / "in.jsonl"), "output": "o.jsonl", "model": "m", "prompt": PROMPT}
    spec = JobSpec.model_validate(table)
    paths = JobPaths(folder)
    job = replace(ready_job.make(spec), paths=paths)
    with open_store(paths.store) as db:
        snapshot = ingest.ingest(db, job.input, paths.spool)

        def plan(screening: Screening, turn: int) -> None:
            # Another model each time, or the plan that is there would do.
            planner.plan(db, job, snapshot, {"model": str(turn)}, None, screening)

        kinds = (Screening(spec, None), Screening(spec, control_tokens.in_folder(MODEL)))
        found = []
        for turn in range(rounds + 1):
            order = (0, 1) if turn % 2 else (1, 0)
            took = {one: measure(lambda one=one, turn=turn: plan(kinds[one], 2 * turn + one))  # type: ignore[misc]
                    for one in order}  # fmt: skip
            found.append((took[0], took[1]))
    return found[1:]


def encoding(rows: int, rounds: int) -> list[tuple[float, float]]:
    """Processor seconds of encoding all rows: as the tokenizer does it, and as we do."""
    tokenizer = chat_tokenizer.load(str(MODEL), MODEL, {}, ChatSettings())
    chats = [[Message("user", f"Classify: {TEXT % ((number,) * 4)}")] for number in range(rows)]
    backend = tokenizer._fast

    def bare() -> None:
        for chat in chats:
            text = tokenizer.render(chat, ChatSettings())
            backend.encode_batch_fast([text], add_special_tokens=False)[0].ids  # noqa: B018

    def ours() -> None:
        for chat in chats:
            tokenizer.encode(chat)

    found = []
    for turn in range(rounds + 1):
        order = (bare, ours) if turn % 2 else (ours, bare)
        took = {action: measure(action) for action in order}
        found.append((took[bare], took[ours]))
    return found[1:]


def summary(found: list[tuple[float, float]], rows: int) -> dict[str, float]:
    without, with_ = (statistics.median(column) for column in zip(*found, strict=True))
    ratios = sorted(b / a for a, b in found)
    return {
        "without": round(without * 100_000 / rows, 3),
        "with": round(with_ * 100_000 / rows, 3),
        "ratio": round(statistics.median(ratios), 3),
        "lowest": round(ratios[0], 3),
        "highest": round(ratios[-1], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {"planning": planning(Path(folder), given.rows, given.rounds)}
    found["encoding"] = encoding(given.rows // 5, given.rounds)
    sizes = {"planning": given.rows, "encoding": given.rows // 5}
    print(json.dumps({name: summary(each, sizes[name]) for name, each in found.items()}))


if __name__ == "__main__":
    main()
