"""`make test-crash`: after a power cut no acknowledged answer is missing.

The changes that real runs make to their folder are recorded (`tests.crash.tracer`): one that is
killed, one that goes on, one of the next night with a changed input, each with checkpoints of
DuckDB in between. Then they are replayed up to random moments on a disk that forgets what was
not synced (`tests.crash.disk`). Each image is opened as a run opens it, or repaired; every
checkpoint that had returned before the cut must be there; and for some images the same command
is run to the end, which must give the undisturbed output, byte for byte.
"""

import argparse
import json
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from llmbatch.core.errors import StoreError  # noqa: E402
from llmbatch.store import connection, frames, journal, recovery, results, runs  # noqa: E402
from llmbatch.store.database import Database  # noqa: E402
from llmbatch.store.journal import DamagedError  # noqa: E402
from llmbatch.store.opening import open_store  # noqa: E402
from llmbatch.store.repair import abandon, repair  # noqa: E402
from tests.crash import disk  # noqa: E402
from tests.crash.disk import Disk  # noqa: E402
from tests.crash.events import Event  # noqa: E402
from tests.crash.tracer import At, Trace, Tracer  # noqa: E402

FILES = ("out.jsonl", "out.errors.jsonl")
STATE = "out.llmbatch"
LEDGER = "acknowledged"
FINISHED = (0, 3)
ROWS = 300
# A run to the end for one image in so many.
RUN_EVERY = 10

Answers = dict[tuple[str, int], tuple[str, str | None]]


def announce() -> None:
    """In the traced process: note each checkpoint when it has returned, and let DuckDB fold its
    log into its file several times in so short a run."""
    commit = runs.checkpoint

    def checkpoint(db: Database, run: int, number: int, attempts: Any, telemetry: Any) -> None:
        commit(db, run, number, attempts, telemetry)
        noted = [[item.key, item.attempt, item.verdict, item.answer] for item in attempts]
        with Path(LEDGER).open("ab", buffering=0) as ledger:
            ledger.write(json.dumps(noted).encode() + b"\n")

    runs.checkpoint = checkpoint
    assert "'64MB'" in connection._SETTINGS
    connection._SETTINGS = connection._SETTINGS.replace("'64MB'", "'40KB'")


@dataclass(frozen=True)
class Recording:
    """The changes of the runs, as (night, change), and the output of each night."""

    steps: list[tuple[int, Event]]
    outputs: dict[int, dict[str, bytes]]


@dataclass
class Result:
    """The results of the images."""

    images: int = 0
    opened: int = 0
    replayed: int = 0
    repaired: int = 0
    abandoned: int = 0
    empty: int = 0
    finished: int = 0
    acknowledged: int = 0
    manners: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


def put_input(folder: Path, night: int) -> None:
    """The input lies beside the folder that is watched: it was there long before the cut."""
    lines = ["id,text"]
    for number in range(ROWS + 40 * night):
        text = f"row {number} of night {night if number % 7 == 0 else 0} " + "and so on " * 12
        text += {5: "FAIL:refused_request", 50: "LENGTH"}.get(number % 100, "")
        lines.append(f"{number}" if number % 60 == 59 else f"{number},{text}")
    (folder / "in.csv").write_text("\n".join(lines) + "\n")


def command(folder: Path) -> list[str]:
    return [
        "run", str(folder / "in.csv"), "-o", "out.jsonl", "-m", "m", "-p", "Say {{ text }}", "-q",
        "--checkpoint-rows", "16", "--checkpoint-seconds", "600", "--chunk-size", "40",
        "--engine", "tests.scripted_engine:create", "--engine-arg", "answer=echo",
    ]  # fmt: skip


def record(tracer: Tracer, folder: Path) -> Recording:
    """A run that is killed, one that goes on, and one of the next night."""
    work = folder / "work"
    work.mkdir()
    steps: list[tuple[int, Event]] = []
    outputs: dict[int, dict[str, bytes]] = {}
    for night, at in ((1, At(170)), (1, None), (2, None)):
        put_input(folder, night)
        trace = _run(
            tracer, folder, work, at=at, data=True, prepare=[("tests.crash.power_cut:announce", [])]
        )
        assert trace.killed == (at is not None), trace.stderr
        steps += [(night, event) for event in trace.events]
        outputs[night] = contents(work)
    return Recording(steps, outputs)


def _run(tracer: Tracer, folder: Path, work: Path, **more: Any) -> Trace:
    trace = tracer.run(command(folder), work, **more)
    assert trace.killed or trace.code in FINISHED, f"{trace.code}: {trace.stderr}"
    return trace


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}


def images(
    recording: Recording, count: int, rng: random.Random
) -> Iterator[tuple[int, str, dict[str, bytes], Answers]]:
    """The states after `count` power cuts: night, manner, files, and the acknowledged changes."""
    cuts = Counter(rng.randint(1, len(recording.steps)) for _ in range(count))
    disks = {"orderly": Disk(orderly=True), "strict": Disk(orderly=False)}
    acknowledged: Answers = {}
    for number, (night, event) in enumerate(recording.steps, start=1):
        if event.path == LEDGER:
            acknowledged |= _noted(event)
        else:
            for one in disks.values():
                one.change(event)
        for _ in range(cuts[number]):
            names, manner = rng.choice(list(disks)), rng.choice(disk.MANNERS)
            yield night, f"{manner}, {names}", disks[names].image(rng, manner), acknowledged


def _noted(event: Event) -> Answers:
    if event.kind != "write":
        return {}
    return {
        (key, attempt): (verdict, answer)
        for key, attempt, verdict, answer in json.loads(event.data)
    }


def examine(tracer: Tracer, folder: Path, recording: Recording, count: int, seed: int) -> Result:
    """Make the images and look into each."""
    began = time.monotonic()
    result = Result()
    rng = random.Random(seed)
    for night, manner, image, acknowledged in images(recording, count, rng):
        result.images += 1
        result.manners[manner] += 1
        result.acknowledged += len(acknowledged)
        place = folder / "image"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        disk.write(image, place)
        kept = folder / f"problem-{len(result.problems) + 1}"
        found = len(result.problems)
        _examine(place, acknowledged, result)
        if result.images % RUN_EVERY == 0:
            put_input(folder, night)
            _finish(tracer, folder, place, recording.outputs[night], result)
        if len(result.problems) > found:
            result.problems[-1] += f" ({manner}, night {night}, {kept})"
            kept.mkdir()
            disk.write(image, kept)
    result.seconds = time.monotonic() - began
    return result


def _examine(place: Path, acknowledged: Answers, result: Result) -> None:
    store = place / STATE / "job.duckdb"
    if not store.parent.exists():
        result.empty += 1
        if acknowledged:
            result.problems.append("nothing is left of the folder")
        return
    try:
        lacking = _lacks_frames(store)
        open_store(store).close()
        result.opened += 1
        result.replayed += lacking
    except DamagedError as error:
        result.repaired += 1
        result.reasons[re.sub(r'"[^"]*"|\d+', "...", str(error).partition("opened: ")[2])[:75]] += 1
        if not _repaired(store, acknowledged, result):
            return
    with open_store(store) as db:
        broken = [name for name, count in results.violations(db).items() if count]
        held = _held(db)
    if broken:
        result.problems.append(f"does not hold: {', '.join(broken)}")
    missing = sum(held.get(place) != answer for place, answer in acknowledged.items())
    if missing:
        result.problems.append(f"{missing} of {len(acknowledged)} acknowledged answers are missing")


def _repaired(store: Path, acknowledged: Answers, result: Result) -> bool:
    """Repair the store; where nothing can be saved, as in the first transaction, begin anew."""
    try:
        repair(store)
    except StoreError as error:
        if acknowledged:
            result.problems.append(str(error))
        result.abandoned += 1
        abandon(store)
        return False
    return True


def _lacks_frames(store: Path) -> bool:
    """True if the store alone would have lost records that its journal holds."""
    path = journal.path_for(store)
    last = frames.scan(path).last if path.exists() else 0
    if not store.exists():
        return last > 0
    with open_store(store, read_only=True) as db:
        return last > recovery.newest(db)


def _held(db: Database) -> Answers:
    found = db.execute("SELECT key, attempt, verdict, answer FROM attempts")
    return {(key.hex, attempt): (verdict, answer) for key, attempt, verdict, answer in found}


def _finish(
    tracer: Tracer, folder: Path, place: Path, expected: dict[str, bytes], result: Result
) -> None:
    _run(tracer, folder, place, traced=False)
    result.finished += 1
    if contents(place) != expected:
        result.problems.append("the run that followed ended with another output")


def summary(result: Result) -> str:
    return "\n".join(
        [
            f"images: {result.images:,} (before anything was written: {result.empty:,})",
            f"  opened at once: {result.opened:,} ({result.replayed:,} with transactions that only "
            "the journal held)",
            f"  opened after `llmbatch repair`: {result.repaired:,}",
            f"    of these with nothing to save, and nothing acknowledged: {result.abandoned:,}",
            *(f"    {reason}: {count:,}" for reason, count in result.reasons.most_common(5)),
            f"  acknowledged answers looked for: {result.acknowledged:,}",
            f"  run to the end: {result.finished:,}",
            f"total time: {result.seconds:.0f} s",
            *(f"PROBLEM: {problem}" for problem in result.problems),
            "failed" if result.problems else "no acknowledged answer was missing",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    parser.add_argument("--keep", action="store_true", help="leave the folder for inspection")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    folder = Path(tempfile.mkdtemp(prefix="llmbatch-power-"))
    print(f"seed {seed}, folder {folder}", flush=True)
    with Tracer() as tracer:
        if tracer.obstacle is not None:
            raise SystemExit(tracer.obstacle)
        result = examine(tracer, folder, record(tracer, folder), given.images, seed)
    if not (given.keep or result.problems):
        shutil.rmtree(folder)
    print(summary(result))
    raise SystemExit(1 if result.problems else 0)


if __name__ == "__main__":
    main()
