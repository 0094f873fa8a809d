"""Stores of other versions of llmbatch: they are read, or one line says what to do."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from llmbatch.cli.commands import check, export, retry
from llmbatch.core.errors import ExitCode, LlmbatchError
from llmbatch.job import finder
from llmbatch.reports import folder, renderers
from llmbatch.reports import report as job_report
from llmbatch.store import faults, history
from llmbatch.store.opening import open_store
from tests.cli.command import QuickJob

Change = Callable[[duckdb.DuckDBPyConnection], object]


def spec(edit: Callable[[Any], Any]) -> Change:
    def change(db: duckdb.DuckDBPyConnection) -> None:
        for run, text in db.execute("SELECT run, spec FROM runs").fetchall():
            db.execute("UPDATE runs SET spec = ? WHERE run = ?", [json.dumps(edit(text)), run])

    return change


def put(path: str, value: object) -> Change:
    def edit(text: str) -> Any:
        whole = json.loads(text)
        *tables, last = path.split(".")
        inner = whole
        for name in tables:
            inner = inner[name]
        inner[last] = value
        return whole

    return spec(edit)


def without(name: str) -> Change:
    return spec(lambda text: {k: v for k, v in json.loads(text).items() if k != name})


def sql(statement: str) -> Change:
    return lambda db: db.execute(statement)


def everywhere(table: str, column: str, value: object) -> Change:
    return lambda db: db.execute(f"UPDATE {table} SET {column} = ?", [json.dumps(value)])


# What is read all the same, with a warning where something of the spec is left out.
READ = {
    "a key": put("novel", 1),
    "a table": put("novel", {"a": [1]}),
    **{
        f"a key in {name}": put(f"{name}.novel", 3)
        for name in ("run", "cost", "sampling", "answer", "engine")
    },
    "a value": put("run.if_locked", "novel"),
    "a format": put("input_format", "arrow"),
    "a flag that is a word": put("meta", "perhaps"),
    "no column": put("response_column", ""),
    "a price in words": put("cost.price_per_hour", "free"),
    "no table": put("cost", [1]),
    "a list of settings": put("run", []),
    "a constraint of two kinds": put("answer", {"regex": "a", "choice": ["a"]}),
    **{f"no {name}": without(name) for name in ("cost", "run", "model", "input", "output")},
    "no spec": spec(lambda _: {}),
    "a list": spec(lambda _: [1]),
    "a failure kind": sql("UPDATE attempts SET kind = 'novel' WHERE kind IS NOT NULL"),
    "an end": sql("UPDATE run_ends SET reason = 'novel', exit_code = 77"),
    "timings": everywhere("run_ends", "timings", {"novel": 1.0}),
    "timings in a list": everywhere("run_ends", "timings", []),
    "telemetry": everywhere("checkpoints", "telemetry", {"novel": {"a": 1}}),
    "telemetry in a list": everywhere("checkpoints", "telemetry", [1]),
    "an engine": everywhere("engine_starts", "description", {"novel": [1]}),
    "an engine in a list": everywhere("engine_starts", "description", [1]),
    "a forecast in a list": sql("INSERT INTO forecasts SELECT run, started_at, '[]' FROM runs"),
}
# May also be refused in one line.
TOLD = {
    "no JSON": sql("UPDATE runs SET spec = '{'"),
    "timings in words": everywhere("run_ends", "timings", {"generate": "long"}),
    "telemetry of other types": everywhere(
        "checkpoints",
        "telemetry",
        {"latency": 5, "moments": "x", "resources": [1], "steps": "a", "cache_usage": "x"},
    ),
    "an engine of other types": everywhere(
        "engine_starts", "description", {"hardware": 5, "parallelism": [1], "device": 7}
    ),
    "a forecast": sql("INSERT INTO forecasts SELECT run, started_at, '{\"novel\":1}' FROM runs"),
    "columns": sql("UPDATE snapshots SET columns = '{\"a\": 1}'"),
    "a newer schema": sql("INSERT INTO migrations VALUES (999, now()::TIMESTAMP)"),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the job that each test takes a copy of."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def job(quick: QuickJob, kept: Path) -> Path:
    """The output of a job with an answer and a dead letter."""
    if not (kept / "job").exists():
        quick.write("in.csv", "id,text\n1,one\n2,FAIL:refused_request\n")
        assert quick.run("-q").code == ExitCode.INCOMPLETE
        shutil.copytree(quick.folder, kept / "job")
    shutil.copytree(kept / "job", quick.folder, dirs_exist_ok=True)
    quick.computed()
    return quick.output


def all_that_reads(job: Path) -> dict[str, Callable[[], object]]:
    store = job.with_suffix(".llmbatch") / "job.duckdb"

    def report() -> None:
        with open_store(store, read_only=True) as db, faults.understood(store):
            built = job_report.build(db)
            assert built is not None
            for style in ("text", "json", "markdown"):
                renderers.render(built, style)

    def plan() -> None:
        with open_store(job.with_name("aside.duckdb"), beside=store.parent) as db:
            history.pending_work(db, store, lambda _: True)

    return {
        "export": lambda: export.write_answers(job, job.with_name("other.csv"), meta=True),
        "report": report,
        "report --all": lambda: folder.build(job.parent, finder.find_below(job.parent)),
        "plan": plan,
        "check": lambda: check.read_verdicts(job),
        "retry": lambda: retry.reopen(job, []),
    }


def change_store(job: Path, change: Change) -> None:
    with duckdb.connect(str(job.with_suffix(".llmbatch") / "job.duckdb")) as db:
        change(db)


@pytest.mark.parametrize("name", READ)
def test_it_is_read(job: Path, name: str) -> None:
    change_store(job, READ[name])
    for read in all_that_reads(job).values():
        read()
    assert job.with_name("other.csv").read_text().count("\n") == 2


@pytest.mark.parametrize("name", TOLD)
def test_it_is_read_or_told(job: Path, name: str) -> None:
    change_store(job, TOLD[name])
    for read in all_that_reads(job).values():
        try:
            read()
        except LlmbatchError as error:
            assert error.exit_code == ExitCode.USAGE
            assert "\n" not in str(error)
            assert "llmbatch" in str(error)


def test_what_is_left_out_is_named(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change_store(job, put("run.novel", 3))
    export.write_answers(job, job.with_name("other.csv"), meta=False)
    assert "not understood and left out: run.novel; the run was one of" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["no spec", "a list", "no JSON"])
def test_a_run_goes_on_with_it(quick: QuickJob, job: Path, name: str) -> None:
    change_store(job, (READ | TOLD)[name])
    quick.write("in.csv", "id,text\n1,one\n2,FAIL:refused_request\n3,three\n")
    assert quick.run("-q").code == ExitCode.INCOMPLETE
    assert quick.computed() == 1
