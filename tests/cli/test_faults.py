"""Faults of disks and files: one line, the right exit code, nothing lost, and the same command
finishes once the fault is gone.

Exit code 2: before anything was run. 4: what was computed could not be written. 0 or 3: only
something that can do without was not written, which never stops a run.
"""

import errno
import os
import resource
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from tests.cli.command import Job
from tests.crash.states import State
from tests.crash.tracer import At, Call, Fault, Trace, Tracer

MARK = "llmbatch: error: "
FULL = errno.ENOSPC
STORE = "out.llmbatch/job.duckdb"
FIRST = "id,text\n" + "".join(f"{n},text {n}\n" for n in range(20))
GROWN = FIRST + "".join(f"{n},text {n}\n" for n in range(20, 40)) + "99,FAIL:refused_request\n"
# Written by the engine at its first answer: from then on the run generates.
LEDGER = "ledger"


@dataclass(frozen=True)
class Case:
    """A fault, and what must come of it.

    `damage` is done to the folder before the run; if that refuses to work (exit code 2), the state
    folder is put back as it was. `faults` and `prepare` (see tests.crash.tracer) last as long as
    the run. `fresh`: there was no run before.
    """

    name: str
    code: int
    words: tuple[str, ...]
    damage: Callable[[Job], None] | None = None
    faults: tuple[Fault, ...] = ()
    prepare: tuple[Call, ...] = ()
    fresh: bool = False
    # The run before this one was killed after some checkpoints.
    killed: bool = False
    # Further flags, and options of the scripted engine.
    flags: tuple[str, ...] = ()
    engine: str = ""
    # A signal at a moment of the run.
    at: At | None = None
    # The end is no error of its own: with --quiet nothing is said.
    silent: bool = False


def full(
    name: str, path: str, code: int, *words: str, kind: str = "write", **more: int | str
) -> Case:
    """The disk is full whenever this file is written."""
    since = str(more.get("since", ""))
    fault = Fault(kind, path, FULL, first=int(more.get("first", 1)), since=since)
    return Case(name, code, words, faults=(fault,), fresh=bool(more.get("fresh", 0)))


def limited(name: str, size: int, code: int, *words: str) -> Case:
    """No file may become larger: a limit that the kernel itself enforces."""
    call: Call = ("resource:setrlimit", [resource.RLIMIT_FSIZE, (size, size)])
    return Case(name, code, words, prepare=(call,), fresh=True)


FULL_DISK = (
    full("state folder", "out.llmbatch", 2, "state folder", kind="mkdir", fresh=1),
    full("lock", "*/job.lock", 2, "job.lock", kind="create", fresh=1),
    full("signing the lock", "*/job.lock", 3),
    full("creating the store", STORE + ".new*", 4, "No space left", fresh=1),
    full("naming the store", STORE + ".new", 4, "No space left", kind="rename", fresh=1),
    full("ingest", STORE + ".wal", 4, "No space left"),
    full("checkpoint", STORE + ".wal", 4, "No space left", "same command", since=LEDGER),
    full("second checkpoint", STORE + ".wal", 4, "same command", since=LEDGER, first=2),
    full("sync of a checkpoint", STORE + ".wal", 4, "same command", since=LEDGER, kind="sync"),
    full("journal", "*/journal", 4, "journal", "same command", since=LEDGER),
    full("sync of the journal", "*/journal", 4, "journal", kind="sync", since=LEDGER),
    full("export", ".out.jsonl.*.partial", 4, "out.jsonl", "No space left", "same command"),
    full("sync of the output", ".out.jsonl.*.partial", 4, "out.jsonl", kind="sync"),
    full("naming the output", ".out.jsonl.*.partial", 4, "out.jsonl", kind="rename"),
    full("error file", ".out.errors.jsonl.*.partial", 4, "out.errors.jsonl", "No space left"),
    full("folding the log into the store", STORE, 3, since=LEDGER),
    full("live view", "*/.status.json.*.partial", 3),
    full("naming the live view", "*/.status.json.*.partial", 3, kind="rename"),
    full("report", "*/.report.json.*.partial", 3),
)
LIMITS = (
    limited("limit: creating the store", 100_000, 4, "too large"),
    limited("limit: folding the log into the store", 600_000, 3),
)


def write(path: str, content: bytes) -> Callable[[Job], None]:
    def damage(job: Job) -> None:
        job.write(path, content)

    return damage


def cut(path: str, share: float) -> Callable[[Job], None]:
    def damage(job: Job) -> None:
        os.truncate(job.folder / path, int((job.folder / path).stat().st_size * share))

    return damage


def newer(job: Job) -> None:
    with duckdb.connect(str(job.folder / STORE)) as db:
        db.execute("INSERT INTO migrations VALUES (999, now())")


def header(job: Job) -> None:
    with (job.folder / STORE).open("r+b") as stream:
        stream.write(bytes(range(256)) * 48)


def lock_folder(job: Job) -> None:
    (job.state / "job.lock").unlink()
    (job.state / "job.lock").mkdir()


def store(name: str, damage: Callable[[Job], None], *words: str) -> Case:
    """The store is damaged; its user puts back a copy."""
    return Case(name, 2, (STORE, *words), damage=damage)


FILES = (
    store("store cut short", cut(STORE, 0.5), "damaged", "repair"),
    store("store cut to its headers", cut(STORE, 0.004), "cannot be opened"),
    store("empty store", cut(STORE, 0), "cannot be opened"),
    store("header overwritten", header, "cannot be opened"),
    store("not a store", write(STORE, b"no database"), "cannot be opened"),
    store("newer store", newer, "newer llmbatch", "upgrade"),
    Case("stray log", 3, (), damage=write(STORE + ".wal", b"garbage" * 999)),
    Case("log cut short", 3, (), damage=cut(STORE + ".wal", 0.7), killed=True),
    Case("log cut in its first record", 3, (), damage=cut(STORE + ".wal", 0.01), killed=True),
    Case("empty log", 3, (), damage=cut(STORE + ".wal", 0), killed=True),
    Case(
        "log gone", 3, (), damage=lambda job: (job.folder / (STORE + ".wal")).unlink(), killed=True
    ),
    Case("lock is a folder", 2, ("job.lock",), damage=lock_folder),
    Case(
        "read-only folder",
        2,
        ("state folder",),
        faults=(Fault("mkdir", "*", errno.EROFS),),
        fresh=True,
    ),
    Case(
        "lock may not be made",
        2,
        ("job.lock",),
        faults=(Fault("create", "*/job.lock", errno.EACCES),),
        fresh=True,
    ),
)


RESTARTS = ("--engine-restarts", "1")
# That the run went on in spite of the fault, or was stopped as it was told, is no error.
ENGINE_AND_STOPS = (
    Case("engine does not start", 5, ("no_device",), engine="start_error=no_device"),
    Case("engine dies on everything", 5, ("did not answer", "same command"), engine="die_after=0"),
    Case("engine dies now and then", 3, (), engine="die_after=9"),
    Case("engine dies, no restart wanted", 5, ("engine died",), flags=("--engine-restarts", "0"),
         engine="die_after=9"),
    Case("restart fails once", 3, (),
         engine="die_after=9 start_failures=1 start_failures_after=1 counter=counter"),
    Case("restarts fail", 5, ("scripted",), flags=RESTARTS,
         engine="die_after=9 start_failures=99 start_failures_after=1 counter=counter"),
    Case("process killed", -signal.SIGKILL, (), engine="kill_after=9", silent=True),
    Case("enough rows", 4, (), flags=("--max-rows", "5"), silent=True),
    Case("deadline", 4, (), flags=("--deadline", "1s"), engine="delay=0.1", silent=True),
    Case("budget", 4, (), flags=("--max-cost", "1", "--price-per-hour", "3600"),
         engine="delay=0.1", silent=True),
    Case("interrupt", 130, (), at=At(1, kinds=("write",), path=LEDGER, signal=signal.SIGINT),
         engine="delay=0.05", silent=True),
    Case("termination", 143, (), at=At(1, kinds=("write",), path=LEDGER, signal=signal.SIGTERM),
         engine="delay=0.05", silent=True),
)  # fmt: skip


@pytest.fixture(scope="module")
def tracer(forks: Tracer) -> Tracer:
    if forks.obstacle is not None:
        pytest.skip(forks.obstacle)
    return forks


def run(job: Job, tracer: Tracer, case: Case | None = None, engine: str = "") -> Trace:
    more: tuple[str, ...] = ("-q", "--checkpoint-rows", "4", "--checkpoint-seconds", "600")
    faults: tuple[Fault, ...] = ()
    prepare: tuple[Call, ...] = ()
    at: At | None = None
    if case is not None:
        at = case.at
        more, engine = more + case.flags, case.engine
        faults, prepare = case.faults, case.prepare
    arguments = job.arguments(*more, engine=engine)
    trace = tracer.run(arguments, job.folder, faults=faults, prepare=prepare, at=at)
    assert "Traceback" not in trace.stderr, trace.stderr
    return trace


@pytest.fixture(scope="module")
def wanted(tracer: Tracer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The results of the job without any fault."""
    job = Job(tmp_path_factory.mktemp("wanted"))
    job.write("in.csv", GROWN)
    assert run(job, tracer).code == 3
    return written(job)


@dataclass(frozen=True)
class Earlier:
    """A folder in which the job has run once, and what its store holds."""

    folder: Path
    state: State


@pytest.fixture(scope="module")
def earlier(tracer: Tracer, tmp_path_factory: pytest.TempPathFactory) -> Earlier:
    job = Job(tmp_path_factory.mktemp("earlier"))
    job.write("in.csv", FIRST)
    assert run(job, tracer).code == 0
    ledger(job)
    return Earlier(job.folder, State.read(job.folder / STORE))


def written(job: Job) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in job.folder.glob("out.*jsonl")}


@pytest.mark.parametrize(
    "case", [*FULL_DISK, *LIMITS, *FILES, *ENGINE_AND_STOPS], ids=lambda case: case.name
)
def test_a_fault(
    case: Case, tracer: Tracer, tmp_path: Path, earlier: Earlier, wanted: dict[str, bytes]
) -> None:
    job = Job(tmp_path)
    before = bring_about(case, job, tracer, earlier)
    kept = tmp_path.with_name(tmp_path.name + ".kept")
    if job.state.exists():
        shutil.copytree(job.state, kept)
    if case.damage is not None:
        case.damage(job)

    hit = run(job, tracer, case)
    assert hit.code == case.code, hit.stderr
    errors = [line for line in hit.stderr.splitlines() if line.startswith(MARK)]
    assert hit.stderr.splitlines() == errors, "more than the error"
    assert len(errors) == (hit.code not in (0, 3) and not case.silent)
    assert [word for word in case.words if word not in hit.stderr] == []

    if case.damage is not None and hit.code == 2:
        shutil.rmtree(job.state)
        shutil.copytree(kept, job.state)
    left = State.read(job.folder / STORE)
    assert left.violations == {}
    assert before.attempts <= left.attempts, "committed, and lost"
    ledger(job)
    again = run(job, tracer)
    assert (again.code, written(job)) == (3, wanted), again.stderr
    assert State.read(job.folder / STORE).violations == {}
    assert not ledger(job) & left.settled(), "committed, and computed again"


def bring_about(case: Case, job: Job, tracer: Tracer, earlier: Earlier) -> State:
    """The job as it is when the fault comes."""
    if not case.fresh:
        shutil.copytree(earlier.folder, job.folder, dirs_exist_ok=True)
    job.write("in.csv", GROWN)
    if case.killed:
        assert run(job, tracer, engine="kill_after=9").code == -signal.SIGKILL
        return State.read(job.folder / STORE)
    return State() if case.fresh else earlier.state


def ledger(job: Job) -> set[str]:
    """The keys that the engine has computed since this was last asked."""
    path = job.folder / LEDGER
    found = set(path.read_text().split()) if path.exists() else set()
    path.unlink(missing_ok=True)
    return found


def test_the_folder_of_the_output_goes_away_during_a_run(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.write("in.csv", FIRST)
    (tmp_path / "there").mkdir()
    place = ("-o", "there/out.jsonl", "--state", "out.llmbatch", "--checkpoint-seconds", "0.1")
    with job.start(*place, engine="delay=0.05 window=2") as running:
        running.until_answered(2)
        (tmp_path / "there").rmdir()
        finished = running.wait()
    assert finished.code == 4
    assert "there/out.jsonl" in finished.error
    assert job.computed() == 20
    (tmp_path / "there").mkdir()
    assert job.run(*place).code == 0
    assert job.computed() == 0
    assert len(job.records("there/out.jsonl")) == 20
