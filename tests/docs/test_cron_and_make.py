"""The samples for cron and make work as their pages say, executed by a real sh and a real make."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import ROOT, SCRIPT, wait_for

CRON = ROOT / "samples/cron"
NIGHTLY = CRON / "nightly.sh"
ENGINE = "tests.docs.stand_in_engine:create"
INPUT = 'input = "in.csv"\noutput = "unused.jsonl"\nmodel = "m"\nprompt = "Say {{ text }}"\n'


def inherited() -> dict[str, str]:
    """The variables that the tests need beside those of cron."""
    kept = {name: os.environ[name] for name in ("PYTHONPYCACHEPREFIX",) if name in os.environ}
    return kept | {"PYTHONPATH": str(ROOT)}


def engine(folder: Path, options: str = "") -> list[str]:
    """Flags that take the place of vLLM; the ledger names every request that is computed."""
    pairs = [*options.split(), f"ledger={folder / 'ledger'}"]
    return ["--engine", ENGINE, *(part for pair in pairs for part in ("--engine-arg", pair))]


def computed(folder: Path) -> int:
    """The number of requests computed since the last call."""
    ledger = folder / "ledger"
    count = len(ledger.read_text().splitlines()) if ledger.exists() else 0
    ledger.unlink(missing_ok=True)
    return count


class Cron:
    """The world in which cron starts a command; its mails land in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "answers.jsonl"
        self.log = folder / "answers.log"
        self._mails = folder / "mails"
        self._mailer = folder / "mailer"
        self._mailer.write_text(
            f'#!/bin/sh\nmkdir -p {self._mails}\n{{ echo "$@"; cat; }} >{self._mails}/$$\n'
        )
        self._mailer.chmod(0o755)
        (folder / "job.toml").write_text(INPUT)
        self.rows("one", "two", "three", "four", "five")

    def rows(self, *texts: str) -> None:
        lines = (f"{number},{text}\n" for number, text in enumerate(texts))
        (self.folder / "in.csv").write_text("id,text\n" + "".join(lines))

    def environment(self, **more: str) -> dict[str, str]:
        bare = {"HOME": str(self.folder), "LOGNAME": "cron", "SHELL": "/bin/sh"}
        bare["PATH"] = f"{SCRIPT.parent}:/usr/bin:/bin"
        return bare | {"MAILER": str(self._mailer)} | inherited() | more

    def night(self, *flags: str, options: str = "", **more: str) -> subprocess.Popen[bytes]:
        """Start nightly.sh on the job in the folder."""
        job = [str(NIGHTLY), str(self.folder / "job.toml"), str(self.output)]
        command = [*job, *engine(self.folder, options), *flags]
        return self.start(command, self.environment(**more))

    def start(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=pipe, stderr=pipe)

    def mails(self) -> list[str]:
        """The mails sent: a line of arguments, then the text."""
        if not self._mails.exists():
            return []
        return [path.read_text() for path in self._mails.iterdir()]

    def status(self) -> dict[str, Any]:
        path = self.folder / "answers.llmbatch/status.json"
        found: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
        return found


def finish(process: subprocess.Popen[bytes]) -> int:
    """The exit code; cron would mail whatever the command says, so it must say nothing."""
    told = process.communicate(timeout=60)
    assert told == (b"", b"")
    return process.returncode


@pytest.fixture
def cron(tmp_path: Path) -> Cron:
    return Cron(tmp_path)


def installed(cron: Cron) -> str:
    """The crontab after the command of the page, for a user who has one already."""
    (line,) = re.findall(r"^    (\(crontab -l; .*)$", (CRON / "README.md").read_text(), re.M)
    programs = cron.folder / "programs"
    programs.mkdir()
    script = '#!/bin/sh\nif [ "$1" = -l ]; then echo "5 4 * * * old"; else cat >"$HOME/tab"; fi\n'
    (programs / "crontab").write_text(script)
    (programs / "crontab").chmod(0o755)
    environment = {"HOME": str(cron.folder), "PATH": f"{programs}:/usr/bin:/bin"}
    subprocess.run(["/bin/sh", "-c", line], cwd=ROOT, env=environment, check=True)
    return (cron.folder / "tab").read_text()


def test_the_crontab_works_as_it_is_installed(cron: Cron) -> None:
    text = installed(cron)
    assert text.startswith("5 4 * * * old\n")
    assert "/path/to" not in text
    lines = [line for line in text.splitlines()[1:] if not line.startswith("#")]
    settings = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]+=", line))
    (entry,) = (line for line in lines if not re.match(r"[A-Z]+=", line))
    *times, command = entry.split(None, 5)
    assert times == ["0", "22", "*", "*", "*"]
    assert not re.search(r"(?<!\\)%", command), "cron would end the command here"
    folders = settings["PATH"].split(":")
    assert folders == [str(ROOT / ".venv/bin"), "/usr/bin", "/bin"]
    # The page says to name the folder of llmbatch here, wherever that is.
    settings["PATH"] = ":".join([str(SCRIPT.parent), *folders[1:]])

    extra = shlex.join([*engine(cron.folder), "--checkpoint-rows", "100"])
    environment = cron.environment() | settings
    night = cron.start([settings["SHELL"], "-c", f"{command} {extra}"], environment)
    assert finish(night) == 0
    assert len(cron.output.read_text().splitlines()) == computed(cron.folder) > 500
    assert cron.mails() == []
    log = cron.log.read_text()
    assert re.search(r"nightly: begin\n.*nightly: end, exit code 0\n$", log, re.S)
    assert "answered + 0 failed" in log
    events = (cron.folder / "answers.events.jsonl").read_text().splitlines()
    names = [json.loads(event)["event"] for event in events]
    assert (names[0], names[-1]) == ("started", "finished")


def test_failed_rows_are_mailed_with_their_number_and_file(cron: Cron) -> None:
    cron.rows("one", "FAIL:too_long", "three", "FAIL:too_long 4")
    assert finish(cron.night(MAILTO="ana@example.com")) == 3
    (mail,) = cron.mails()
    first, *text = mail.splitlines()
    assert first == f"-s llmbatch {cron.output}: 2 rows without an answer ana@example.com"
    errors = cron.folder / "answers.errors.jsonl"
    assert text[0] == f"Finished. These rows, each with its reason, are in {errors}"
    assert len(errors.read_text().splitlines()) == 2
    assert f"The end of {cron.log}:" in text
    assert text[-1].endswith("nightly: end, exit code 3")


def test_a_good_night_is_mailed_where_that_is_wanted(cron: Cron) -> None:
    assert finish(cron.night(MAIL_ALWAYS="1")) == 0
    first, *text = cron.mails()[0].splitlines()
    assert first.startswith(f"-s llmbatch {cron.output}: all is well ")
    shown = "\n".join(text)
    # What matters stands above the log.
    assert "5 in = 5 answered + 0 failed" in shown.partition("The end of")[0]


def test_failed_rows_that_the_user_accepts_are_not_mailed(cron: Cron) -> None:
    cron.rows("one", "FAIL:too_long", "three")
    assert finish(cron.night("--max-failed", "50%")) == 0
    assert cron.mails() == []


def test_a_night_that_was_not_enough_is_followed_by_one_that_goes_on(cron: Cron) -> None:
    assert finish(cron.night("--max-rows", "2")) == 4
    (mail,) = cron.mails()
    assert mail.startswith(f"-s llmbatch {cron.output}: stopped with work left ")
    assert "the next night goes on" in mail
    assert "3 rows left" in mail
    assert not cron.output.exists()
    assert computed(cron.folder) == 2
    assert finish(cron.night()) == 0
    assert computed(cron.folder) == 3
    assert len(cron.mails()) == 1
    assert cron.log.read_text().count("nightly: begin") == 2


def test_the_morning_ends_the_night(cron: Cron) -> None:
    """The deadline is there, and a further flag wins over it."""
    cron.rows(*(f"row {number}" for number in range(400)))
    assert finish(cron.night("--deadline", "1s", options="delay=0.1 window=1")) == 4
    assert "deadline 1s reached" in cron.mails()[0]
    assert "--deadline 06:00" in NIGHTLY.read_text()


def test_a_dead_engine_is_mailed(cron: Cron) -> None:
    assert finish(cron.night(options="start_error=no_device")) == 5
    (mail,) = cron.mails()
    assert "the engine failed" in mail.splitlines()[0]
    assert "answers.llmbatch/run.log" in mail
    assert "no_device" in mail


@pytest.mark.parametrize(
    ("flags", "path", "code", "words"),
    [
        (["--max-tokens", "0"], "", 2, "--max-tokens"),
        ([], "/usr/bin:/bin", 127, "llmbatch: not found"),
    ],
)
def test_what_will_not_mend_itself_is_mailed(
    cron: Cron, flags: list[str], path: str, code: int, words: str
) -> None:
    more = {"PATH": path} if path else {}
    assert finish(cron.night(*flags, **more)) == code
    (mail,) = cron.mails()
    assert f"failed with exit code {code}" in mail.splitlines()[0]
    assert words in mail
    assert "every night will fail" in mail


def test_two_at_once_and_a_signal(cron: Cron) -> None:
    cron.rows(*(f"row {number}" for number in range(400)))
    first = cron.night("--grace", "5", options="delay=0.05")
    wait_for(lambda: cron.status().get("progress", {}).get("rows_done", 0) >= 5)
    assert finish(cron.night()) == 75
    assert cron.mails() == []
    assert "still at work: nothing to do" in cron.log.read_text()
    assert "another run holds this job" in cron.log.read_text()
    # Whom `llmbatch status` names.
    os.kill(cron.status()["pid"], signal.SIGTERM)
    assert finish(first) == 143
    (mail,) = cron.mails()
    assert "stopped with work left" in mail


def test_a_mail_that_cannot_be_sent_is_noted(cron: Cron) -> None:
    assert finish(cron.night("--max-rows", "2", MAILER="/no/such/mailer")) == 4
    assert "the mail could not be sent: stopped with work left" in cron.log.read_text()


def test_what_nightly_cannot_even_log_it_says_to_cron(cron: Cron) -> None:
    none = cron.start([str(NIGHTLY)], cron.environment())
    assert none.communicate()[1].startswith(b"usage: nightly.sh JOB.toml OUTPUT")
    job = str(cron.folder / "job.toml")
    night = cron.start([str(NIGHTLY), job, "/no/such/folder/out.jsonl"], cron.environment())
    assert b"out.log cannot be written; nothing was run" in night.communicate()[1]
    assert (none.returncode, night.returncode) == (2, 2)


class Build:
    """A copy of the sample as it lies in the repository, with tickets of its own."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(ROOT / "samples/make", folder / "make")
        self.tickets = folder / "tickets"
        self.tickets.mkdir()
        for name in ("job.toml", "prompt.txt", "schema.json"):
            shutil.copy(ROOT / "samples/tickets" / name, self.tickets)
        self.folder = folder / "make"
        self.rows(*(f"ticket {number}" for number in range(8)))

    def rows(self, *texts: str) -> None:
        lines = (f"{number},{text}\n" for number, text in enumerate(texts))
        (self.tickets / "tickets.csv").write_text("id,text\n" + "".join(lines))

    def start(self, *targets: str, flags: str = "", options: str = "") -> subprocess.Popen[str]:
        every = shlex.join(engine(self.folder, options))
        # An edit in the second in which a make begins counts as one that came after it.
        time.sleep(1 - time.time() % 1)
        return subprocess.Popen(
            ["make", *targets, f"LLMBATCH={SCRIPT}", f"FLAGS={every} {flags}"],
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"} | inherited(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def make(self, *targets: str, flags: str = "") -> tuple[int, str]:
        process = self.start(*targets, flags=flags)
        told, _ = process.communicate(timeout=60)
        return process.returncode, told

    def there(self) -> set[str]:
        names = ("answers.jsonl", "answers.errors.jsonl", "report.txt", "answers.parquet")
        return {name for name in names if (self.folder / name).exists()}

    def answers(self) -> int:
        return len((self.folder / "answers.jsonl").read_text().splitlines())


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return Build(tmp_path)


def test_make_makes_everything_once_and_then_what_a_change_asks_for(build: Build) -> None:
    code, told = build.make()
    assert code == 0, told
    assert build.there() == {"answers.jsonl", "report.txt", "answers.parquet"}
    assert (build.answers(), computed(build.folder)) == (8, 8)
    assert "8 in = 8 answered" in (build.folder / "report.txt").read_text()

    code, told = build.make()
    assert (code, told) == (0, "make: Nothing to be done for 'all'.\n")

    # Nothing in it changes an answer: written again, without an engine.
    (build.tickets / "job.toml").touch()
    code, told = build.make("answers.jsonl")
    assert (code, computed(build.folder)) == (0, 0), told
    assert "writing the output" in told
    assert build.make("answers.jsonl")[1] == "make: 'answers.jsonl' is up to date.\n"

    with (build.tickets / "tickets.csv").open("a") as tickets:
        tickets.write("8,another\n9,ticket 3\n")
    assert build.make("answers.jsonl")[0] == 0
    assert (build.answers(), computed(build.folder)) == (10, 1)

    (build.tickets / "prompt.txt").write_text("Extract:\n\n{{ text }}\n")
    code, told = build.make("report.txt")
    assert (code, computed(build.folder)) == (0, 9), told
    assert "last run (of 4)" in (build.folder / "report.txt").read_text()

    assert build.make("clean")[0] == 0
    left = {path.name for path in build.folder.iterdir()}
    assert left == {"Makefile", "README.md", ".gitignore"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_make_goes_on_where_it_was_interrupted(build: Build, number: signal.Signals) -> None:
    build.rows(*(f"ticket {number}" for number in range(40)))
    process = build.start("answers.jsonl", options="delay=0.05 window=4")
    ledger = build.folder / "ledger"
    wait_for(lambda: ledger.exists() and len(ledger.read_text().splitlines()) >= 5)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    told, _ = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "run the same command again" in told
    done = computed(build.folder)
    assert 5 <= done < 40
    assert build.there() == set()
    code, told = build.make("answers.jsonl")
    assert code == 0, told
    assert (build.answers(), computed(build.folder)) == (40, 40 - done)


def test_failed_rows_fail_the_build_until_they_are_accepted(build: Build) -> None:
    build.rows("one", "FAIL:too_long", "three")
    for count in (3, 0):
        code, told = build.make("report.txt")
        assert (code, computed(build.folder)) == (2, count), told
        assert "Error 3" in told
        assert build.there() == {"answers.errors.jsonl"}
    code, told = build.make("answers.jsonl", flags="--max-failed 1")
    assert (code, computed(build.folder)) == (0, 0), told
    assert build.there() == {"answers.errors.jsonl", "answers.jsonl"}
    assert build.answers() == 2
    assert build.make("answers.jsonl")[1] == "make: 'answers.jsonl' is up to date.\n"


def test_what_changes_during_a_run_is_seen_by_the_next_make(build: Build) -> None:
    process = build.start("answers.jsonl", options="delay=0.05 window=2")
    ledger = build.folder / "ledger"
    wait_for(lambda: ledger.exists() and ledger.read_text() != "")
    time.sleep(0.05)  # a file system may date its files to some milliseconds only
    with (build.tickets / "tickets.csv").open("a") as tickets:
        tickets.write("8,late\n")
    told, _ = process.communicate(timeout=30)
    assert process.returncode == 0, told
    assert (build.answers(), computed(build.folder)) == (8, 8)
    assert build.make("answers.jsonl")[0] == 0
    assert (build.answers(), computed(build.folder)) == (9, 1)
