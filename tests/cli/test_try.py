"""`llmbatch try`: what is shown, and the watch over the job's files."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from llmbatch.cli import narration, try_view
from llmbatch.cli.commands import try_rows
from llmbatch.cli.options import JobArguments
from llmbatch.core.errors import ExitCode
from llmbatch.pipeline.run.try_session import TriedRows, TrySession
from tests.cli.command import QuickJob

CSV = "id,text,lang\n" + "".join(f"{n},w{n},{'de' if n % 2 else 'en'}\n" for n in range(1, 9))


_SAVES = (("Say {{ text }}", "Say w"), ("{{ txt }}", "'txt'"), ("Ask {{ text }}", "Ask w"))


@pytest.fixture
def job(tmp_path: Path, forks: Any) -> QuickJob:
    job = QuickJob(tmp_path, forks)
    job.write("in.csv", CSV)
    return job


def tried(job: QuickJob, *more: str) -> Any:
    return job.command("try", *job.arguments(*more)[1:])


def test_rows_are_shown_with_their_columns_and_what_all_would_take(job: QuickJob) -> None:
    found = tried(job, "--rows", "2", "--where", "lang = 'en'", "--price-per-hour", "2")
    assert found.code == 0
    lines = found.stdout.splitlines()
    assert [line for line in lines if line.startswith("  text")] == ["  text    w4", "  text    w8"]
    assert "  lang" not in found.stdout
    assert "2 rows of 4 that --where lets through in " in found.stdout
    assert lines[-4].startswith("all 8 rows, by 2 answers:")
    assert "(-" not in lines[-3], "fewer tokens than none"
    assert lines[-1].startswith("  cost    about USD ")
    assert " to " in lines[-1]
    assert job.names() == {"in.csv", "out.llmbatch"}
    job.computed()
    assert (job.run().code, job.computed()) == (0, 6)


def test_only_failures_are_no_success(job: QuickJob) -> None:
    found = tried(job, "-p", "FAIL:x {{ text }}", "--rows", "1", "--first")
    assert found.code == 3
    assert "  FAILED  scripted failure (x)" in found.stdout


def test_standard_input_cannot_be_watched(job: QuickJob) -> None:
    job.input = "-"
    refused = tried(job, "--input-format", "csv", "--watch")
    assert refused.code == 2
    assert refused.error == "--watch needs an input that can be read again: a file or a query"


def test_each_save_is_another_try_and_a_broken_file_waits_for_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.csv").write_text(CSV)
    (tmp_path / "job.toml").write_text(
        'input = "in.csv"\noutput = "out.jsonl"\nmodel = "m"\nprompt = "@p.txt"\n'
    )
    template = tmp_path / "p.txt"
    template.write_text("{{ text }}")
    engine = {"name": "tests.scripted_engine:create", "answer": "echo"}
    arguments = JobArguments(tmp_path / "job.toml", {"engine": engine}, trusted=True)
    job, shown = try_rows._ready(arguments), ""
    watched = try_rows._Watched(try_rows._files(arguments, job))

    def until(sign: str) -> None:
        nonlocal shown
        deadline = time.monotonic() + 30
        while sign not in shown:
            assert time.monotonic() < deadline, shown
            time.sleep(0.02)
            captured = capsys.readouterr()
            shown += captured.out + captured.err

    with TrySession(job, narration.Silent()) as session:

        def edit() -> None:
            try:
                for text, sign in _SAVES:
                    template.write_text(text)
                    until(sign)
            finally:
                session.stop.request("enough")

        thread = threading.Thread(target=edit)
        thread.start()
        ended = try_rows._watch(session, arguments, watched, TriedRows(1))
        thread.join()
    assert ended[0] == ExitCode.OK
    assert shown.count("answer  ") == 2
    assert "error: prompt" in shown


def test_a_file_counts_as_changed_once_it_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "p.txt"
    before = try_rows._stamps([path])
    assert before == [None]
    path.write_text("a")
    assert try_rows._stamps([path]) != before


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short", ["  answer  short"]),
        ("one\n\ntwo", ["  answer  one", "          ", "          two"]),
        ("\n".join("x" * 14), None),
    ],
)  # fmt: skip
def test_an_answer_is_broken_into_the_lines_of_the_terminal(
    text: str, lines: list[str] | None
) -> None:
    shown = list(try_view._labelled("answer", text, 6, 40))
    assert shown == lines if lines else shown[-1] == "          ... 2 more lines"


def test_after_a_try_the_output_of_a_part_is_still_one(job: QuickJob) -> None:
    first = job.run("--limit", "3")
    assert first.code == 0
    assert "leave --limit 3 out to go on" in first.stderr
    assert tried(job, "-p", "Tell {{ text }}", "--rows", "2", "--first").code == 0
    planned = job.command("plan", *job.arguments("--limit", "3")[1:])
    assert (planned.code, "only 3 of its 8 rows are taken" in planned.stdout) == (0, True)
    again = job.run("-p", "Tell {{ text }}", "--limit", "3")
    assert (again.code, len(job.records())) == (0, 3), again.stderr
    assert job.run().code == 0
    refused = job.run("--limit", "3")
    assert "holds the answers to all rows" in refused.error
