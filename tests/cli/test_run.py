"""Whole runs: every input and output format, values, narration, report."""

import csv
import gzip
import io
import json
import os
import pty
import re
import subprocess
import sys
import termios

import pyarrow.parquet as pq
import pytest

from tests.cli.command import ENGINE, SCRIPT, Finished, Job, environment

# Each field of the table comes out exactly as it went in.
VALUES = [
    ["id", "text", "big", "price", "power", "day", "json", "empty"],
    ["00123", "plain", "12345678901234567890", "1.10", "1e5", "2026-02-29", '{"a":[1.0]}', ""],
    ["00124", 'He said "no", twice', "-0", "0.10", "1E+05", "29/02/2026", "[]", " "],
    ["00125", "two\nlines\r\nthree", "007", "1,10", "NaN", "12:00", "null", "\t"],
    ["00126", "Zażółć 日本語 👩‍👩‍👧 \u2028", "1_000", "$1", "inf", "=1+1", "true", "NULL"],
]
SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "[A-Z]-[0-9]{3}"},
        "category": {"enum": ["billing", "technical"]},
        "score": {"type": "integer", "minimum": 3},
        "share": {"type": "number"},
        "urgent": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
        "note": {"type": ["string", "null"]},
    },
}


def table(rows: list[list[str]], delimiter: str = ",") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A finished run over `VALUES`; the engine answers out of order."""
    job = Job(tmp_path_factory.mktemp("values"))
    job.write("in.csv", table(VALUES))
    job.write("schema.json", json.dumps(SCHEMA))
    finished = job.run("--schema", "schema.json", engine="order=shuffle window=3")
    assert finished.code == 0
    assert finished.stdout == ""
    return job


def test_jsonl_keeps_every_value_and_the_order(values: Job) -> None:
    header, *rows = VALUES
    for record, row in zip(values.records(), rows, strict=True):
        response = record.pop("response")
        assert record == dict(zip(header, row, strict=True))
        assert response["id"] == "A-000"


def test_csv_keeps_every_value_and_spreads_the_answer(values: Job) -> None:
    # The store is the same: another format computes nothing.
    assert values.computed() == 4
    finished = values.run("-o", "out.csv", "--schema", "schema.json", "--meta")
    assert (finished.code, values.computed()) == (0, 0)
    with (values.folder / "out.csv").open(encoding="utf-8", newline="") as stream:
        header, *rows = list(csv.reader(stream))
    assert header[:8] == VALUES[0]
    assert header[8:15] == ["response_id", "category", "score", "share", "urgent", "tags", "note"]
    tokens = ["prompt_tokens", "cached_tokens", "output_tokens"]
    wasted = [f"wasted_{name}" for name in tokens]
    named = ["request", "run", "made_by", "flags"]
    assert header[15:] == ["finish_reason", "attempts", *tokens, *wasted, *named]
    assert [row[:8] for row in rows] == VALUES[1:]
    assert rows[0][8:15] == ["A-000", "billing", "3", "0", "false", '["x","x"]', "x"]
    assert rows[0][15:17] == ["stop", "1"]


def test_parquet_gives_the_answer_types(values: Job) -> None:
    finished = values.command("export", "out.jsonl", "-o", "out.parquet")
    assert (finished.code, finished.stdout) == (0, "")
    assert "4 answered rows of 4" in finished.stderr
    found = pq.read_table(values.folder / "out.parquet")
    assert [list(row.values()) for row in found.select(VALUES[0]).to_pylist()] == VALUES[1:]
    answer = found.select(range(8, 15)).to_pylist()[0]
    assert answer == {
        "response_id": "A-000",
        "category": "billing",
        "score": 3,
        "share": 0.0,
        "urgent": False,
        "tags": '["x","x"]',
        "note": "x",
    }


def test_jsonl_records_come_back_byte_for_byte(job: Job) -> None:
    lines = [
        '{"text": "a",  "n": 1.10, "big": 12345678901234567890123, "e": 1e5, "z": -0.0}',
        '{"text": "b \\u00e9 \\/ 日本", "nested": {"a": [1.0, {"b": null}]}, "d": "2026-02-29"}',
        '{"n": 0.1, "text": "c"}',
    ]
    job.input = "in.jsonl"
    job.write("in.jsonl", "\r\n".join(lines) + "\n")
    assert job.run("-p", "Say {{ text }} {{ row.n }}", engine="order=reverse").code == 3
    answered = job.output.read_text().splitlines()
    # The second row has no `n`, for which the template fails.
    for given, written in zip([lines[0], lines[2]], answered, strict=True):
        assert written.startswith(given[:-1] + ',"response":"answer ')
    assert job.errors()[0]["error"]["kind"] == "template"


ROWS = [["id", "text"], ["1", "a, b"], ["2", "ä\nö"]]


@pytest.mark.parametrize(
    ("name", "content", "flags"),
    [
        ("in.tsv", table(ROWS, "\t").encode(), []),
        ("in.csv.gz", gzip.compress(table(ROWS).encode(), mtime=0), []),
        ("in.data", table(ROWS).encode(), ["--input-format", "csv"]),
        ("-", table(ROWS).encode(), ["--input-format", "csv"]),
    ],
)
def test_input_formats(job: Job, name: str, content: bytes, flags: list[str]) -> None:
    job.input = name
    if name != "-":
        job.write(name, content)
    finished = job.run(*flags, engine="answer=echo", stdin=content if name == "-" else b"")
    assert finished.code == 0
    assert finished.stdout == ""
    assert [record["response"] for record in job.records()] == ["Say a, b", "Say ä\nö"]
    assert job.names() <= {name, "in.csv", "out.jsonl", "out.llmbatch"}


def test_equal_rows_are_computed_once(job: Job) -> None:
    job.write("in.csv", "id,text\n" + "".join(f"{n},row {n % 3}\n" for n in range(30)))
    finished = job.run()
    assert (finished.code, job.computed()) == (0, 3)
    assert "27 rows got the answer of an equal row" in finished.stderr
    assert len({record["response"] for record in job.records()}) == 3


def test_with_a_temperature_each_row_is_a_draw_of_its_own(job: Job) -> None:
    job.write("in.csv", "id,text\n" + "".join(f"{n},same\n" for n in range(5)))
    assert (job.run("--temperature", "0.7").code, job.computed()) == (0, 5)
    # A new row must not change which draw the others got.
    job.write("in.csv", "id,text\n" + "".join(f"{n},same\n" for n in range(6)))
    assert (job.run("--temperature", "0.7").code, job.computed()) == (0, 1)


def test_a_job_file_with_flags_over_it(job: Job) -> None:
    (job.folder / "jobs").mkdir()
    job.write("jobs/prompt.txt", "Say {{ text }} in {{ row['a b'] }} words")
    job.write("jobs/in.csv", "text,a b\nhello,3\n")
    job.write(
        "jobs/job.toml",
        'input = "in.csv"\noutput = "out.jsonl"\nmodel = "m"\nprompt = "@prompt.txt"\n'
        f'[engine]\nname = "{ENGINE}"\nanswer = "hash"\n[answer]\nchoice = ["a", "b"]\n',
    )
    finished = job.command(
        "run", "--trust-job-file", "jobs/job.toml", "--regex", "[0-9]{2}", "--meta"
    )
    assert finished.code == 0
    [record] = job.records("jobs/out.jsonl")
    assert (record["response"], record["finish_reason"]) == ("00", "stop")
    finished = job.command("plan", "--trust-job-file", "jobs/job.toml")
    assert (finished.code, finished.stderr) == (0, "")
    assert "Say hello in 3 words" in finished.stdout
    job.write("other.csv", "text,a b\nbye,4\n")
    finished = job.command("plan", "--trust-job-file", "jobs/job.toml", "--input", "other.csv")
    assert "Say bye in 4 words" in finished.stdout
    finished = job.command("plan", "in.csv", "--input", "other.csv")
    assert (finished.code, finished.error[:10]) == (2, "two inputs")


def test_the_report_is_kept_with_its_cost(job: Job) -> None:
    finished = job.run("--price-per-hour", "3600", "--devices", "2", "--currency", "EUR")
    assert finished.code == 0
    report = job.report()
    assert report["counts"] == {
        "answered": 3,
        "failed": 0,
        "pending": 0,
        "rejected": 0,
        "skipped": 0,
    }
    cost = report["last_run"]["cost"]
    assert cost == pytest.approx(2 * report["last_run"]["seconds"])
    assert f"EUR {cost:.4f}" in finished.stderr
    printed = job.command("report", "out.jsonl", "--format", "json")
    assert json.loads(printed.stdout) == report
    assert printed.stderr == ""


def test_narration_on_a_pipe_is_plain_lines(job: Job) -> None:
    finished = job.run()
    said = [line for line in finished.stderr.splitlines() if line.startswith("llmbatch: ")]
    phases = ["reading the input", "planning", "starting the engine", "generating"]
    assert said[:4] == [f"llmbatch: {phase}" for phase in phases]
    assert said[4].startswith("llmbatch: 3/3 rows (100%)")
    assert said[5:] == ["llmbatch: writing the output"]
    assert "3 in = 3 answered + 0 failed + 0 rejected" in finished.stderr
    assert "\r" not in finished.stderr
    assert "\x1b" not in finished.stderr


def test_quiet_says_nothing_but_errors(job: Job) -> None:
    assert job.run("--quiet") == Finished(0, "", "")
    refused = job.run("-q", "-p", "{{ txt }}")
    assert refused.code == 2
    assert refused.stderr == f"llmbatch: error: {refused.error}\n"
    assert "did you mean 'text'?" in refused.error


# A bare pty, as `script` makes one, says that it has no columns.
@pytest.mark.parametrize("size", [(24, 100), (0, 0)])
def test_a_terminal_shows_a_bar(job: Job, size: tuple[int, int]) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, size)
    process = subprocess.Popen(
        [
            *[sys.executable, "-m", "llmbatch"],
            *job.arguments("--price-per-hour", "9", engine="delay=0.3 cache=0.43"),
        ],
        cwd=job.folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown = _read_all(ours)
    assert process.wait() == 0
    assert "100%|" in shown
    assert "3/3" in shown
    assert re.search(r"tok/s, (cache 43%, )?USD 0\.\d+( of ~0\.\d+)?, 0 failed", shown)
    assert "cache 43%" in shown or not size[1], "where there is room"
    assert "3 in = 3 answered" in shown


def _read_all(terminal: int) -> str:
    shown = b""
    try:
        while part := os.read(terminal, 4096):
            shown += part
    except OSError:  # on Linux: the other side has closed
        pass
    os.close(terminal)
    return shown.decode()


def test_an_engine_of_the_users_own_is_found_where_the_command_is_given(job: Job) -> None:
    job.write("mine.py", "from tests.scripted_engine import create as make\n")
    finished = subprocess.run(
        [SCRIPT, *job.arguments("--engine", "mine:make", "-q")],
        cwd=job.folder,
        env=environment(),
        check=False,
    )
    assert finished.returncode == 0
    assert len(job.records()) == 3
