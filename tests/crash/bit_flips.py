"""`make test-crash`: bits that flip and blocks that are lost, in store, journal, or both.

The state folder of a real job is damaged at random places, in every order, and opened as a run
opens it, or repaired where that is refused. Nothing may be lost that one of the two files still
holds, nothing may be lost without a word, and `check` and a run must say the same. At the end the
store is lost altogether: its journal must give back every answer. After some tries the same command
is run to the end, which must give the undisturbed output, byte for byte.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from llmbatch.core.errors import LlmbatchError  # noqa: E402
from llmbatch.store import frames, inspection, recovery, results, runs  # noqa: E402
from llmbatch.store.database import Database  # noqa: E402
from llmbatch.store.journal import DamagedError  # noqa: E402
from llmbatch.store.opening import open_store  # noqa: E402
from llmbatch.store.repair import repair  # noqa: E402
from tests.cli.command import Job  # noqa: E402

ROWS = 400
BLOCK = 4096
STORE, JOURNAL = "job.duckdb", "journal"
# What is damaged, step by step; all of a step at once.
ORDERS = (
    ((STORE,),),
    ((JOURNAL,),),
    ((JOURNAL,), (STORE,)),
    ((STORE,), (JOURNAL,)),
    ((STORE, JOURNAL),),
)
RUN_EVERY = 20

Answers = dict[tuple[str, int], str | None]


@dataclass(frozen=True)
class Base:
    """A job that has worked twice: its folder, its answers, and which of them each frame of its
    journal holds, by the bytes where it lies."""

    job: Job
    output: bytes
    answers: Answers
    places: list[tuple[range, set[tuple[str, int]]]]


@dataclass
class Result:
    """The results of the tries."""

    tries: int = 0
    mended: int = 0
    repaired: int = 0
    unharmed: int = 0
    lost: int = 0
    finished: int = 0
    orders: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


def prepare(folder: Path) -> Base:
    """A run that is killed, and one that goes on."""
    folder.mkdir()
    job = Job(folder)
    rng = random.Random(1)
    texts = (rng.randbytes(150).hex() for _ in range(ROWS))
    rows = (f"{n},{text}{' LENGTH' * (n % 50 == 7)}\n" for n, text in enumerate(texts))
    job.write("in.csv", "id,text\n" + "".join(rows))
    flags = ("-q", "--checkpoint-rows", "8")
    killed = job.run(*flags, engine=f"kill_after={ROWS // 2} answer=echo")
    assert killed.code == -9, killed.stderr
    assert job.run(*flags, engine="answer=echo").code == 3
    with open_store(job.state / STORE) as db:
        runs.reopen(db, runs.dead(db, []))
        answers = held(db)
    return Base(job, job.output.read_bytes(), answers, _places(job.state / JOURNAL))


def _places(journal: Path) -> list[tuple[range, set[tuple[str, int]]]]:
    found = []
    with journal.open("rb") as stream:
        for frame in frames.whole(stream.fileno()):
            content = frames.decode(frames.payload(stream.fileno(), frame), frame)
            tries = content.get("attempts", {"key": [], "attempt": []})
            keys = set(zip(tries["key"], tries["attempt"], strict=True))
            found.append((range(frame.start, frame.end), keys))
    return found


def held(db: Database) -> Answers:
    found = db.execute("SELECT key, attempt, answer FROM attempts")
    return {(key.hex, attempt): answer for key, attempt, answer in found}


def damage(path: Path, rng: random.Random) -> range:
    """Flip a bit, or put zeros in place of a block; which bytes are changed."""
    content = bytearray(path.read_bytes())
    place = rng.randrange(len(content))
    if rng.random() < 0.5:
        content[place] ^= 1 << rng.randrange(8)
        changed = range(place, place + 1)
    else:
        start = place // BLOCK * BLOCK
        changed = range(start, min(start + BLOCK, len(content)))
        content[start : changed.stop] = bytes(len(changed))
    path.write_bytes(content)
    return changed


def torment(base: Base, folder: Path, tries: int, seed: int, run_every: int = RUN_EVERY) -> Result:
    """Damage copies of the job, and look into each; run one in `run_every` to the end."""
    began = time.monotonic()
    rng = random.Random(seed)
    result = Result()
    for number in range(tries):
        place = folder / "try"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(base.job.folder, place)
        order = ORDERS[number % len(ORDERS)]
        name = ", then ".join(" and ".join(step) for step in order)
        result.tries += 1
        result.orders[name] += 1
        problem = _problem(base, Job(place), order, rng, result)
        if problem is None and number % run_every == run_every - 1:
            problem = _finish(base, Job(place))
            result.finished += 1
        if problem:
            kept = folder / f"problem-{len(result.problems) + 1}"
            shutil.copytree(place, kept)
            result.problems.append(f"{problem} (try {number}: {name}; {kept})")
    result.seconds = time.monotonic() - began
    return result


def _problem(
    base: Base, job: Job, order: tuple[tuple[str, ...], ...], rng: random.Random, result: Result
) -> str | None:
    wanted, is_told = base.answers, True
    for step in order:
        changed = {name: damage(job.state / name, rng) for name in step}
        if len(step) == 2:
            wanted = _left(base, job.state / STORE, changed[JOURNAL])
        if problem := _differ(job.state / STORE):
            return problem
        told = _opened(job.state / STORE, result)
        if step == (JOURNAL,) and not told:
            return "the damage of the journal was not reported"
        is_told = bool(told)
    found = _content(job.state / STORE)
    if isinstance(found, str):
        return found
    if missing := [one for one in wanted.values() if one not in found.values()]:
        return f"{len(missing)} of {len(wanted)} answers are missing"
    result.lost += len(base.answers) - len(found)
    if len(found) < len(base.answers) and not is_told:
        return "answers were lost without a word"
    (job.state / STORE).unlink()
    again = _content(job.state / STORE)
    return None if again == found else "the journal does not hold what the store held"


def _left(base: Base, store: Path, changed: range) -> Answers:
    """The answers that one of two damaged files still holds: those of frames that were not hit,
    and all of a store that can be read."""
    damaged = (keys for place, keys in base.places if set(place) & set(changed))
    hit = set().union(*damaged)
    left = {one: answer for one, answer in base.answers.items() if one not in hit}
    try:
        with open_store(store, read_only=True) as db:
            db.read_all()
            return left | held(db)
    except DamagedError:
        return left


def _differ(store: Path) -> str | None:
    """The disagreement of `check` and a run about a damaged store, if there is one."""
    copied = store.parent.with_name("copied")
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(store.parent, copied)

    def check() -> object:
        with open_store(store, read_only=True) as db:
            return inspection.verdicts(db, store, deep=False)["the_journal_is_whole"]

    def run() -> object:
        with open_store(store) as db:
            inspection.require_sound(db, store)
            return db.recovery.rewritten

    checked, ran = _said(check), _said(run)
    shutil.rmtree(store.parent)
    copied.rename(store.parent)
    if isinstance(ran, str) and isinstance(checked, str):
        # Both refuse, perhaps for another of two damages: the files, or one that they met first.
        is_same = checked.partition(":")[0] == ran.partition(":")[0]
    else:
        is_same = not isinstance(ran, str) and bool(checked) == bool(ran)
    if is_same:
        return None
    return f"check says {checked!r}, a run {ran!r}"


def _said(look: Callable[[], object]) -> object:
    try:
        return look()
    except LlmbatchError as error:
        return f"{error.exit_code}: {error}"


def _opened(store: Path, result: Result) -> str:
    """The report of a run that opens the store, or of a repair that has lost something."""
    try:
        with open_store(store) as db:
            inspection.require_sound(db, store)
            told = db.recovery.describe(store)
        result.mended += bool(told)
        result.unharmed += not told
        return told
    except DamagedError as error:
        result.repaired += 1
        done = repair(store)
        assert not done.sound
        return str(error) if done.lost or done.torn else ""


def _content(store: Path) -> Answers | str:
    """The content of a store that is opened again, or its fault."""
    with open_store(store) as db:
        if broken := [name for name, count in results.violations(db).items() if count]:
            return f"does not hold: {', '.join(broken)}"
        if not inspection.agreement(db, store).is_agreed:
            return "store and journal do not agree"
        assert recovery.has_work(db)
        return held(db)


def _finish(base: Base, job: Job) -> str | None:
    job.computed()
    done = job.run("-q", "--checkpoint-rows", "8", engine="answer=echo")
    same = done.code == 3 and job.output.read_bytes() == base.output
    return None if same else f"the run that followed ended otherwise: {done.code} {done.stderr}"


def summary(result: Result) -> str:
    return "\n".join(
        [
            f"tries: {result.tries:,}",
            *(f"  {name}: {count:,}" for name, count in result.orders.items()),
            f"openings that mended: {result.mended:,}, found nothing: {result.unharmed:,}, needed "
            f"`llmbatch repair`: {result.repaired:,}",
            f"answers that both files had lost, in all: {result.lost:,}",
            f"run to the end: {result.finished:,}",
            f"total time: {result.seconds:.0f} s",
            *(f"PROBLEM: {problem}" for problem in result.problems),
            "failed" if result.problems else "nothing was lost, nothing was silent",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    folder = Path(tempfile.mkdtemp(prefix="llmbatch-flips-"))
    print(f"seed {seed}, folder {folder}", flush=True)
    result = torment(prepare(folder / "base"), folder, given.tries, seed)
    if not result.problems:
        shutil.rmtree(folder)
    print(summary(result))
    raise SystemExit(1 if result.problems else 0)


if __name__ == "__main__":
    main()
