"""The Python interface does what the commands do, on tables, and leaves its process as it was."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pandas
import polars
import pytest

import llmbatch
from llmbatch import Result, UsageError
from tests.cli.command import ENGINE, wait_for

ROWS: list[dict[str, Any]] = [
    {"id": "007", "text": "Grüße"},
    {"id": "8", "text": "bye"},
    {"id": "9", "text": "hello"},
]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The settings of a job in a folder of its own, in which the test then is."""
    monkeypatch.chdir(tmp_path)
    engine = {"name": ENGINE, "ledger": str(tmp_path / "ledger")}
    return {
        "model": "m",
        "prompt": "Say {{ text }}",
        "output": "out.jsonl",
        "engine": engine,
    }


def computed() -> int:
    ledger = Path("ledger")
    count = len(ledger.read_text().splitlines()) if ledger.exists() else 0
    ledger.unlink(missing_ok=True)
    return count


def test_a_frame_comes_back_with_its_answers(job: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    result = llmbatch.run(pandas.DataFrame(ROWS, index=[5, 6, 7]), **job, schema=schema)
    assert result.complete
    assert (result.counts.answered, computed()) == (3, 3)
    answers = result.answers()
    assert list(answers.columns) == ["id", "text", "n"]
    assert answers["id"].tolist() == ["007", "8", "9"]
    assert answers["n"].dtype.kind == "i"
    assert result.to_polars()["n"].to_list() == answers["n"].tolist()
    assert Path("out.llmbatch/table.jsonl").exists()
    assert json.loads(Path("out.llmbatch/report.json").read_text())["input"].endswith("table.jsonl")
    written = [json.loads(line) for line in result.output.read_bytes().splitlines()]
    assert written == result.records()
    assert [row["response"]["n"] for row in written] == answers["n"].tolist()


def test_the_store_is_that_of_the_command(job: dict[str, Any]) -> None:
    """An answer is not computed again: for another table, for a file."""
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    llmbatch.run(pandas.DataFrame(ROWS), **job)
    assert computed() == 3
    result = llmbatch.run("in.jsonl", **job)
    assert (computed(), result.answers()) == (0, result.records())
    more = [*ROWS, {"id": "10", "text": "new"}]
    assert llmbatch.run(more, **job).counts.answered == 4
    assert computed() == 1
    llmbatch.run(more, **job, fresh=True)
    assert computed() == 4
    assert (result.state / "report.json").exists()


def test_a_job_file_may_be_given(job: dict[str, Any]) -> None:
    Path("in.csv").write_text("text\nhello\n")
    text = 'input = "in.csv"\nmodel = "m"\nprompt = "Say {{ text }}"\noutput = "o.csv"\n'
    Path("job.toml").write_text(text)
    result = llmbatch.run(job="job.toml", engine=job["engine"], excel=True)
    assert result.records()[0]["text"] == "hello"
    assert result.output == Path("o.csv")


def test_failures_are_no_errors(job: dict[str, Any]) -> None:
    rows = [*ROWS, {"id": "10", "text": "FAIL:too_long"}]
    result = llmbatch.run(rows, **job)
    assert not result.complete
    assert (result.exit_code, result.counts.failed, result.counts.answered) == (3, 1, 3)
    (failure,) = result.failures()
    assert (failure["id"], failure["error"]["kind"]) == ("10", "too_long")


def test_what_is_left_by_a_limit_is_counted(job: dict[str, Any]) -> None:
    result = llmbatch.run(ROWS, **job, max_rows=1)
    assert (result.exit_code, result.counts.pending) == (4, 2)
    assert not result.output.exists()
    assert len(result.answers()) == 1


@pytest.mark.parametrize(
    ("table", "given", "words"),
    [
        (ROWS, {"prompt": "Say {{ txt }}"}, "did you mean 'text'?"),
        (ROWS, {"max_tokens": "many"}, "--max-tokens: must be a whole number"),
        (None, {}, "input is missing"),
        (ROWS, {"output": "-", "state": "s"}, "output: give the name of a file"),
        ([{"text": float("inf")}], {}, "holds an infinity"),
        ("none.csv", {}, "none.csv"),
    ],
)
def test_what_cannot_be_used_is_raised(
    job: dict[str, Any], table: Any, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError) as raised:
        llmbatch.run(table, **(job | given))
    assert words in str(raised.value)
    assert not [*Path().iterdir()]


def test_a_plan_writes_nothing(job: dict[str, Any]) -> None:
    plan = llmbatch.plan(polars.DataFrame(ROWS), **job)
    assert plan.as_dict()["rows_in"] == 3
    assert "Say Grüße" in str(plan)
    unnamed = llmbatch.plan(ROWS, **{name: job[name] for name in job if name != "output"})
    assert unnamed.as_dict()["reused_rows"] is None
    assert not [*Path().iterdir()]


def test_the_process_is_as_it_was(job: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    def state() -> tuple[Any, ...]:
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        return (*handlers, sys.stderr, sys.stdout, threading.active_count(), Path.cwd())

    llmbatch.run(ROWS, **job)
    before = state()
    llmbatch.run(ROWS[:2], **job)
    assert state() == before
    assert capsys.readouterr() == ("", "")


def test_a_run_may_be_in_another_thread_and_show_its_progress(
    job: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    found: list[Result] = []
    thread = threading.Thread(target=lambda: found.append(llmbatch.run(ROWS, **job, progress=True)))
    thread.start()
    thread.join(30)
    assert found[0].complete
    assert "llmbatch: generating" in capsys.readouterr().err


def test_an_interrupt_is_passed_on_after_the_end(job: dict[str, Any]) -> None:
    """The requests in flight are finished and kept first."""
    job["engine"] |= {"delay": 0.02, "window": 1}
    rows = [{"text": f"row {number}"} for number in range(100)]

    def interrupt() -> None:
        wait_for(Path("ledger").exists)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        llmbatch.run(rows, **job)
    thread.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    first = computed()
    assert 0 < first < 100
    job["engine"] |= {"delay": 0.0}
    assert llmbatch.run(rows, **job).complete
    assert computed() == 100 - first


def test_the_import_is_cheap() -> None:
    heavy = "{'duckdb', 'pyarrow', 'pydantic', 'click', 'jinja2', 'numpy', 'pandas'}"
    program = f"import sys, llmbatch; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"[]\n"
    with pytest.raises(AttributeError, match="nothing"):
        llmbatch.nothing  # noqa: B018
