"""Stores to work on, and other processes to share them with."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmbatch.core import clock
from llmbatch.core.outcomes import Verdict
from llmbatch.core.records import Record, Reject
from llmbatch.store import plans, runs, snapshots
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store
from llmbatch.store.rendered_rows import RenderedRow
from llmbatch.store.runs import Attempt
from llmbatch.store.snapshots import Row, Source

Spawn = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders with an empty and a healthy store: copying one is cheaper than making it."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("empty", "healthy"):
        (folder / name).mkdir()
    open_store(folder / "empty/job.duckdb").close()
    with open_store(folder / "healthy/job.duckdb") as database:
        fill(database)
    return folder


@pytest.fixture
def db(tmp_path: Path, models: Path) -> Iterator[Database]:
    """A new, empty store."""
    shutil.copytree(models / "empty", tmp_path, dirs_exist_ok=True)
    with open_store(tmp_path / "job.duckdb") as database:
        yield database


@pytest.fixture
def healthy(tmp_path: Path, models: Path) -> Iterator[Database]:
    """A store in which a run worked: two rows share a request, one has a template failure, one
    line was rejected, one request is dead, one is pending."""
    shutil.copytree(models / "healthy", tmp_path, dirs_exist_ok=True)
    with open_store(tmp_path / "job.duckdb") as database:
        yield database


def fill(db: Database) -> None:
    rows = [Row(n, str(n), Record(n, '{"t": "x"}')) for n in (1, 2, 3, 4, 6)]
    items: list[Row | Reject] = [*rows, Reject(5, "not JSON", "{")]
    source = Source("in.jsonl", "jsonl", "digest", None, ["t"])
    snapshot = snapshots.replace(db, items, lambda: source)
    keys = {1: "a" * 32, 2: "b" * 32, 3: "a" * 32, 6: "c" * 32}
    rendered = [RenderedRow(n, key, None, None, f"text {key}") for n, key in keys.items()]
    rendered.append(RenderedRow(4, None, "template", "no such column", None))
    plan = plans.replace(db, snapshot.snapshot, "plan", [rendered], None)
    now = clock.moment()
    run = runs.begin(db, plan.plan, now, {})
    runs.engine_started(db, run, now, now, {"engine": "none"})
    answered = Attempt("a" * 32, 1, Verdict.ANSWERED, None, None, "stop", "yes", 9, 4, 1)
    dead = Attempt("b" * 32, 1, Verdict.DEAD, "truncated", "cut", "length", "ye", 9, 0, 1)
    runs.checkpoint(db, run, 1, [answered], {})
    runs.checkpoint(db, run, 2, [dead], {})
    runs.end(db, run, "stopped", 4, {})


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts a Python program in a process of its own and waits until it has said "ready"."""
    started: list[subprocess.Popen[str]] = []

    def start(program: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
