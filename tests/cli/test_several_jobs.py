"""Several jobs in one command: one engine, and for each job its own store, output and exit code."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from llmbatch.cli import job_series
from llmbatch.core.errors import ExitCode
from tests.cli.command import ENGINE, Finished, QuickJob, Running, wait_for

NAMES = ("a", "b", "c", "d", "e")


class Series:
    """Job files in a folder, of three rows each; their engines count starts in a file."""

    def __init__(self, quick: QuickJob) -> None:
        self.quick = quick
        self.folder = quick.folder
        for name in NAMES:
            self.write(name)

    def write(self, name: str, head: str = "", model: str = "m", **options: object) -> str:
        given = {"output": f"{name}.jsonl", "input": "in.csv"}
        lines = [f'{key} = "{value}"' for key, value in given.items() if f"{key} =" not in head]
        engine = {"counter": "starts", "start_failures": 1, "start_failures_after": 99} | options
        self.quick.write(
            f"{name}.toml",
            "\n".join([*lines, f'model = "{model}"', f'prompt = "{name} {{{{ text }}}}"', head])
            + f'\n[engine]\nname = "{ENGINE}"\nledger = "ledger"\n'
            + "".join(f"{key} = {json.dumps(value)}\n" for key, value in engine.items()),
        )
        return f"{name}.toml"

    def arguments(self, *names: str) -> list[str]:
        return ["run", "--trust-job-file", *(names or [f"{name}.toml" for name in NAMES])]

    def run(self, *names: str) -> Finished:
        return self.quick.command(*self.arguments(*names))

    def starts(self) -> int:
        """Engines that were started since the last call."""
        path = self.folder / "starts"
        found = path.read_text().split().count("start") if path.exists() else 0
        path.unlink(missing_ok=True)
        return found

    def ledger(self) -> int:
        path = self.folder / "ledger"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def answered(self, name: str) -> int:
        path = self.folder / f"{name}.jsonl"
        return len(path.read_bytes().splitlines()) if path.exists() else 0


@pytest.fixture
def series(quick: QuickJob) -> Series:
    return Series(quick)


def lines(found: Finished, name: str) -> list[str]:
    mark = f"llmbatch: {name}.toml: "
    return [line.removeprefix(mark) for line in found.stderr.splitlines() if line.startswith(mark)]


def test_five_jobs_share_one_engine_and_the_next_command_has_nothing_to_do(series: Series) -> None:
    found = series.run()
    assert (found.code, series.starts()) == (0, 1)
    assert [series.answered(name) for name in NAMES] == [3] * 5
    for name in NAMES:
        assert lines(found, name)[-1].startswith("exit 0, finished, 3 of 3 rows answered, ")
    assert "5 jobs, 1 engine start, " in found.stderr.splitlines()[-1]
    first, second = (report(series, name)["engine"] for name in "ab")
    assert "kept_from" not in first
    assert second["kept_from"] == "a.toml"
    series.quick.computed()
    again = series.run()
    assert (again.code, series.starts(), series.quick.computed()) == (0, 0, 0)


def report(series: Series, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (series.folder / f"{name}.llmbatch/report.json").read_bytes()
    )
    return found


def test_the_start_is_charged_to_the_job_that_had_the_engine_started(series: Series) -> None:
    for name in "ab":
        series.write(name, "[cost]\nprice_per_hour = 3600.0", start_delay=0.4)
    found = series.run("a.toml", "b.toml")
    assert found.code == 0
    first, second = (report(series, name)["last_run"] for name in "ab")
    assert first["engine_start_seconds"] >= 0.4
    assert second["engine_start_seconds"] < 0.3


def test_another_engine_takes_the_place_of_the_first(series: Series) -> None:
    series.write("b", model="other")
    found = series.run("a.toml", "b.toml", "c.toml")
    assert (found.code, series.starts()) == (0, 3)
    assert "2 engines would be started 3 times" in found.stderr
    again = series.run("a.toml", "c.toml", "b.toml", "--fresh")
    assert (again.code, series.starts()) == (0, 2)
    assert "would be started" not in again.stderr


def test_a_broken_job_file_stops_no_other_and_is_found_before_an_engine_starts(
    series: Series,
) -> None:
    series.quick.write("b.toml", "model = \n")
    series.write("d", 'input = "none.csv"')
    found = series.run("b.toml", "a.toml", "d.toml")
    assert (found.code, series.starts()) == (2, 1)
    assert [series.answered(name) for name in "bad"] == [0, 3, 0]
    assert "b.toml" in lines(found, "b")[0]
    assert lines(found, "d")[0].startswith("error: none.csv: ")
    assert lines(found, "d")[-1].startswith("exit 2, none.csv: ")


def test_a_dead_engine_does_not_hurt_the_jobs_after_it(series: Series) -> None:
    series.quick.write("poison.csv", "id,text\n1,KILL\n2,x\n")
    series.write("b", 'input = "poison.csv"\n[run]\nengine_restarts = 0')
    found = series.run("a.toml", "b.toml", "c.toml")
    assert (found.code, series.starts()) == (5, 2)
    assert [series.answered(name) for name in "abc"] == [3, 0, 3]
    assert "poison" in lines(found, "b")[-1]


def test_one_that_does_not_start_is_started_again_for_the_next_job(series: Series) -> None:
    for name in "ab":
        series.write(name, start_failures_after=0)
    found = series.run("a.toml", "b.toml")
    assert (found.code, series.starts()) == (5, 2)
    assert [series.answered(name) for name in "ab"] == [0, 3]


def test_failed_rows_and_a_job_that_another_run_holds(series: Series) -> None:
    series.quick.write("odd.csv", "id,text\n1,x\n2,FAIL:refused_request\n")
    series.write("a", 'input = "odd.csv"')
    series.write("b", delay=30.0)
    with Running(series.quick, series.arguments("b.toml")):
        wait_for((series.folder / "b.llmbatch/job.duckdb").exists)
        found = series.run("a.toml", "b.toml", "c.toml")
        assert found.code == 3
        assert lines(found, "b")[-1].startswith("exit 75, another run holds this job (pid ")
        assert series.run("b.toml", "c.toml").code == 75
        assert series.run("b.toml", "c.toml", "--if-locked", "skip").code == 0
    assert [series.answered(name) for name in "abc"] == [1, 0, 3]


def test_a_signal_ends_the_job_and_the_others_are_not_begun(series: Series) -> None:
    rows = "".join(f"{n},t{n}\n" for n in range(40))
    series.quick.write("many.csv", f"id,text\n{rows}")
    series.write("b", 'input = "many.csv"', delay=0.2, window=1)
    with Running(series.quick, series.arguments("a.toml", "b.toml", "c.toml")) as running:
        wait_for(lambda: series.ledger() > 3)
        running.signal(signal.SIGTERM)
        found = running.wait()
    assert found.code == 143
    assert series.answered("b") == 0
    last = found.stderr.splitlines()[-2:]
    assert last[0] == "llmbatch: c.toml: exit 143, not begun: the command was stopped by a signal"
    assert not (series.folder / "c.llmbatch").exists()


def test_a_killed_command_goes_on_and_pays_for_nothing_twice(series: Series) -> None:
    series.write("c", kill_after=1, window=1)
    killed = series.run("b.toml", "c.toml", "d.toml")
    assert killed.code == -9
    series.write("c")
    done = series.quick.computed()
    assert series.run("b.toml", "c.toml", "d.toml").code == 0
    assert [series.answered(name) for name in "bcd"] == [3] * 3
    assert series.quick.computed() + done <= 10, "only what was in flight is computed again"


def test_a_folder_is_its_job_files_in_order_of_name(series: Series) -> None:
    folder = series.folder / "nightly"
    folder.mkdir()
    for name in "cab":
        path = series.folder / f"{name}.toml"
        text = path.read_text().replace('"in.csv"', '"../in.csv"')
        (folder / path.name).write_text(text)
    (folder / "notes.txt").write_text("not a job")
    found = series.run("nightly")
    assert (found.code, series.starts()) == (0, 1)
    ended = [line for line in found.stderr.splitlines() if ": exit 0, finished" in line]
    assert [line.split(":")[1].strip() for line in ended] == [f"nightly/{n}.toml" for n in "abc"]
    assert series.answered("nightly/a") == 3


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (["-o", "x.jsonl"], "--output: is of one job, and there are 2: leave it out"),
        (["--state", "x"], "--state: is of one job, and there are 2: leave it out"),
        (["-i", "in.csv"], "--input: is of one job, and there are 2: leave it out"),
        (["--report", "x.md"], "--report: is of one job, and there are 2: leave it out"),
        (["a.toml"], "is named 2 times; once is enough"),
    ],
)
def test_flags_of_one_job_are_refused(series: Series, flags: list[str], error: str) -> None:
    found = series.run("a.toml", "b.toml", *flags)
    assert found.code == 2
    assert found.error.endswith(error)
    assert series.starts() == 0


def test_what_only_one_job_can_have(series: Series) -> None:
    series.write("b", 'output = "a.jsonl"')
    found = series.run("a.toml", "b.toml")
    assert found.code == 2
    assert "a.toml writes it, too; each job has its own" in lines(found, "b")[0]
    assert series.answered("a") == 3


def test_a_job_reads_the_output_of_an_earlier_one(series: Series) -> None:
    series.write("b", 'input = "a.jsonl"\nresponse_column = "second"')
    assert series.run("a.toml", "b.toml").code == 0
    assert series.answered("b") == 3
    series.quick.write("in.csv", "id,text\n1,new\n2,KILL\n")
    series.write("a", "[run]\nengine_restarts = 0")
    found = series.run("a.toml", "b.toml")
    assert found.code == 5
    assert lines(found, "b") == [
        "exit 4, not begun: its input is the output of a.toml, which has not finished"
    ]


def test_several_are_planned_one_by_one(series: Series) -> None:
    series.quick.write("b.toml", "model = \n")
    names = ["--trust-job-file", "a.toml", "b.toml", "c.toml"]
    found = series.quick.command("plan", *names)
    assert found.code == 2
    titles = [line for line in found.stdout.splitlines() if line.endswith(".toml:")]
    assert titles == ["a.toml:", "c.toml:"]
    assert "error: b.toml: " in found.stderr
    told = json.loads(series.quick.command("plan", *names, "--format", "json").stdout)
    assert [plan["job"] for plan in told] == ["a.toml", "c.toml"]


def test_events_name_their_job(series: Series) -> None:
    found = series.run("a.toml", "b.toml", "--log-json", "-")
    events = [json.loads(line) for line in found.stderr.splitlines()]
    assert [event["job"] for event in events if event["event"] == "finished"] == [
        "a.toml",
        "b.toml",
    ]
    assert events[-1]["event"] == "jobs_ended"
    assert [job["exit_code"] for job in events[-1]["jobs"]] == [0, 0]


def test_the_command_of_the_user_is_told_of_each_job(series: Series) -> None:
    tell = 'echo "$LLMBATCH_OUTPUT $LLMBATCH_EXIT_CODE" >> told'
    series.quick.write("b.toml", "model = \n")
    series.run("a.toml", "b.toml", "c.toml", "--notify", tell)
    told = (series.folder / "told").read_text().splitlines()
    assert [line.split()[-1] for line in told] == ["0", "2", "0"]
    assert Path(told[2].split()[0]).name == "c.jsonl"


def test_the_worst_is_what_mends_itself_least() -> None:
    codes = [ExitCode.OK, ExitCode.LOCKED, ExitCode.INCOMPLETE, ExitCode.ENGINE]
    assert job_series.worst(codes) == ExitCode.ENGINE
    assert job_series.worst([*codes, ExitCode.USAGE]) == ExitCode.USAGE
    assert job_series.worst([]) == ExitCode.OK
    for code in ExitCode:
        assert job_series.worst([code]) == code
