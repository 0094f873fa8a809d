"""`make test-crash`: a run that is killed again and again ends like one that never was.

The whole process tree gets SIGKILL at random moments of every phase, from the start of Python
to the export; each time the same command is started again. In the end the output and the error
file must be those of an undisturbed run, byte for byte, the store must be sound, and a kill may
have cost no more answers than one checkpoint interval makes.
"""

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.crash import jobs  # noqa: E402
from tests.crash.jobs import CrashJob  # noqa: E402
from tests.crash.launch import Launcher, Processes, Run, Zygote  # noqa: E402
from tests.crash.processes import kill_tree  # noqa: E402

# A commit takes a moment itself, and the loop looks at the clock five times a second.
SLACK_SECONDS = 0.5
FINISHED = (0, 3)
PHASES = [
    "reading the input",
    "planning",
    "starting the engine",
    "generating",
    "writing the output",
    "ended",
]


@dataclass(frozen=True)
class Moment:
    """Kill `delay` seconds after the run has come to `phase` ("": has been started)."""

    phase: str
    delay: float


@dataclass(frozen=True)
class Kill:
    """A kill that happened. `computed`: answers made by this run, where the engine counts."""

    pid: int
    phase: str
    at: datetime
    computed: int | None


@dataclass
class Result:
    """The results of all kills."""

    kills: list[Kill] = field(default_factory=list)
    runs: int = 0
    lost: list[int] = field(default_factory=list)
    bound: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


def torment(
    job: CrashJob,
    reference: Path,
    killed: Path,
    kills: int,
    seed: int,
    launcher: Launcher | None = None,
) -> Result:
    """The whole experiment: reference run, killed runs, comparison."""
    launcher = launcher or Processes()
    began = time.monotonic()
    wall = undisturbed(job, reference, launcher)
    report = json.loads((reference.with_suffix(".llmbatch") / "report.json").read_bytes())
    result = Result()
    for moment in moments(random.Random(seed), kills, wall, report["last_run"]):
        result.runs += 1
        kill = run_until_killed(job, killed, moment, launcher)
        if kill is not None:
            result.kills.append(kill)
        print(f"run {result.runs}: {f'killed while {kill.phase}' if kill else 'ended'}", flush=True)
    undisturbed(job, killed, launcher)
    result.runs += 1
    rate = job.rate or report["last_run"]["rows_per_second_steady"]
    result.bound = round(rate * (job.checkpoint_seconds + SLACK_SECONDS))
    judge(job, reference, killed, result, rate)
    result.seconds = time.monotonic() - began
    return result


def moments(rng: random.Random, kills: int, wall: float, last: dict[str, Any]) -> Iterator[Moment]:
    """Random moments: in start-up, in a slice of generation, at last in export.

    The slices add up to less than the whole generation, so that something is left to kill.
    """
    late = max(1, kills // 6)
    early = max(1, (kills - late) // 3)
    startup = wall - last["generate_seconds"] - last["export_seconds"]
    share = 2 * last["generate_seconds"] / kills
    # Half of the early ones fall blindly, the others where a blind one would seldom fall.
    first = [Moment("", rng.uniform(0, startup)) for _ in range(early - early // 2)]
    first += [Moment(rng.choice(PHASES[:3]), rng.uniform(0, 0.1)) for _ in range(early // 2)]
    first += [Moment("generating", rng.uniform(0, share)) for _ in range(kills - late - early)]
    rng.shuffle(first)
    yield from first
    for _ in range(late):
        yield Moment("writing the output", rng.uniform(0, last["export_seconds"]))


def undisturbed(job: CrashJob, output: Path, launcher: Launcher) -> float:
    """Run to the end; returns the seconds it took."""
    output.parent.mkdir(exist_ok=True)
    began = time.monotonic()
    process = launcher.start(job.arguments(output), job.folder)
    _, stderr = process.communicate()
    if process.returncode not in FINISHED:
        raise SystemExit(f"a run ended with {process.returncode}:\n{stderr.decode()}")
    return time.monotonic() - began


def run_until_killed(
    job: CrashJob, output: Path, moment: Moment, launcher: Launcher
) -> Kill | None:
    """Start a run and kill it at its moment; None if it ended before."""
    output.parent.mkdir(exist_ok=True)
    before = job.computed()
    process = launcher.start(job.arguments(output), job.folder)
    try:
        due = wait_until(process, output, moment)
    finally:
        at = datetime.now(UTC)
        kill_tree(process.pid)
        _, stderr = process.communicate()
    if b"Traceback" in stderr or not (due or process.returncode in FINISHED):
        raise SystemExit(f"a run ended with {process.returncode}:\n{stderr.decode()}")
    if not due:
        return None
    computed = job.computed()
    made = computed - before if computed is not None and before is not None else None
    return Kill(process.pid, phase_of(output, process.pid), at, made)


def wait_until(process: Run, output: Path, moment: Moment) -> bool:
    """True if the moment came before the run had ended."""
    due = None if moment.phase else time.monotonic() + moment.delay
    while process.poll() is None:
        if due is None and has_reached(phase_of(output, process.pid), moment.phase):
            due = time.monotonic() + moment.delay
        if due is not None and time.monotonic() >= due:
            return True
        time.sleep(0.002)
    return False


def has_reached(seen: str, phase: str) -> bool:
    return seen in PHASES and PHASES.index(seen) >= PHASES.index(phase)


def phase_of(output: Path, pid: int) -> str:
    """The phase of a run by its live view, which may still be that of the run before."""
    try:
        seen = json.loads((output.with_suffix(".llmbatch") / "status.json").read_bytes())
    except FileNotFoundError:
        return "before any state"
    return str(seen["phase"]) if seen["pid"] == pid else "starting Python"


def judge(job: CrashJob, reference: Path, killed: Path, result: Result, rate: float) -> None:
    """Compare the two, look into the store, and count what was lost."""
    for name in ("out.jsonl", "out.errors.jsonl"):
        result.problems += differences(reference.with_name(name), killed.with_name(name))
    check = subprocess.run(
        [sys.executable, "-m", "llmbatch", "check", str(killed)],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if check.returncode != 0:
        result.problems.append(f"llmbatch check: {check.stdout.decode()}{check.stderr.decode()}")
    with duckdb.connect(str(killed.with_suffix(".llmbatch") / "job.duckdb"), read_only=True) as db:
        twice = db.execute(
            "SELECT count(*) - count(DISTINCT key) FROM attempts WHERE verdict <> 'retry'"
        ).fetchall()[0][0]
        if twice:
            result.problems.append(f"{twice} requests were settled twice")
        result.lost = [lost_by(db, kill, rate) for kill in result.kills]
    if sum(result.lost) > result.bound * len(result.kills):
        result.problems.append(
            f"{sum(result.lost)} answers were lost: more than {result.bound} for each kill"
        )


def differences(reference: Path, killed: Path) -> list[str]:
    if not reference.exists() and not killed.exists():
        return []
    former, later = (path.read_bytes().splitlines() for path in (reference, killed))
    if former == later:
        return []
    other = sum(one != two for one, two in zip(former, later, strict=False))
    return [f"{killed.name}: {len(later)} lines for {len(former)}, {other} of them differ"]


def lost_by(db: duckdb.DuckDBPyConnection, kill: Kill, rate: float) -> int:
    """Answers that were made and not committed when the kill came.

    Of an engine that does not count them: the time since its last checkpoint, at full speed, but
    no more than was left to do: an engine that is closing makes none.
    """
    found = db.execute(
        "SELECT run, (SELECT max(ready_at) FROM engine_starts WHERE engine_starts.run = runs.run),"
        " (SELECT max(committed_at) FROM checkpoints WHERE checkpoints.run = runs.run),"
        " (SELECT count(*) FROM attempts WHERE attempts.run = runs.run),"
        " (SELECT count(*) FROM requests)"
        " - (SELECT count(*) FROM attempts WHERE attempts.run <= runs.run AND verdict <> 'retry')"
        " FROM runs WHERE pid = ? ORDER BY run DESC LIMIT 1",
        [kill.pid],
    ).fetchall()
    if kill.computed is not None:
        return kill.computed - int(found[0][3] if found else 0)
    if not found or found[0][1] is None or kill.phase != "generating":
        return 0
    _, ready, committed, _, left = found[0]
    seconds: float = (kill.at.replace(tzinfo=None) - (committed or ready)).total_seconds()
    return min(round(rate * max(0.0, seconds)), int(left))


def summary(result: Result, rows: int) -> str:
    phases = Counter(kill.phase for kill in result.kills)
    lost = result.lost or [0]
    return "\n".join(
        [
            f"rows: {rows:,}, runs: {result.runs}, kills: {len(result.kills)}",
            *(f"  while {phase}: {count}" for phase, count in phases.most_common()),
            f"answers lost for each kill: median {statistics.median(lost):g}, max {max(lost)}"
            f" (one checkpoint interval makes up to {result.bound})",
            f"total time: {result.seconds:.0f} s",
            *(f"PROBLEM: {problem}" for problem in result.problems),
            "failed" if result.problems else "the output does not show it",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engine", choices=sorted(jobs.ENGINES), default="scripted")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--zygote", action="store_true", help="fork runs after vLLM's import")
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    parser.add_argument("--keep", action="store_true", help="leave the folder for inspection")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    folder = Path(tempfile.mkdtemp(prefix="llmbatch-crash-"))
    print(f"seed {seed}, folder {folder}", flush=True)
    job = jobs.ENGINES[given.engine](folder, given.rows)
    outputs = (folder / "reference/out.jsonl", folder / "killed/out.jsonl")
    launcher = Zygote(folder) if given.zygote else Processes()
    result = torment(job, *outputs, given.kills, seed, launcher)
    launcher.close()
    if not given.keep:
        shutil.rmtree(folder)
    print(summary(result, given.rows))
    raise SystemExit(1 if result.problems else 0)


if __name__ == "__main__":
    main()
