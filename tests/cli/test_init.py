"""`llmbatch init`: a job file that runs as it is once it has a model."""

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llmbatch.cli.main import cli
from llmbatch.job import file
from llmbatch.job.fields import leaves
from llmbatch.job.spec import JobSpec
from tests.cli.command import ENGINE

TICKETS = "id;Order no.;text;kind\n" + "".join(
    f'{n};"A ""{n}""";The lamp in room {n} does not switch on, größe;{"ab"[n % 2]}\n'
    for n in range(8)
)


def init(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["init", *arguments])


@pytest.fixture
def tickets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tickets.csv"
    path.write_text(TICKETS)
    return path


def test_it_looks_at_the_columns(tickets: Path) -> None:
    assert init("tickets.csv").exit_code == 0
    text = Path("job.toml").read_text()
    table = tomllib.loads(text)
    assert table["id_column"] == "id"
    assert table["output"] == "tickets.answers.csv"
    assert table["input"] == {"files": ["tickets.csv"]}
    assert table["prompt"].endswith("\ntext: {{ text }}\n")
    assert '# choice = ["a", "b"]' in text
    assert '#   text       "The lamp in room 0 does not switch on, größe", ' in text
    assert "reading ';' as separator" in text


def test_it_has_every_key_with_its_default(tickets: Path) -> None:
    text = init("tickets.csv", "-o", "-").stdout
    for key, _ in leaves(JobSpec):
        name = key.rpartition(".")[2]
        assert key in ("engine.name", "input.sql") or f"{name} = " in text, key
    assert not Path("job.toml").exists()
    # Each of them can be taken in.
    shown = [line[2:] for line in text.splitlines() if line.startswith("# ") and " = " in line]
    kept = {line.partition(" = ")[0]: line for line in shown if " = ..." not in line}
    assert tomllib.loads(kept["max_tokens"]) == {"max_tokens": 512}


def test_it_runs_once_the_model_is_filled_in(
    tickets: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("jobs").mkdir()
    assert init("tickets.csv", "-o", "jobs/new.toml").exit_code == 0
    assert CliRunner().invoke(cli, ["plan", "jobs/new.toml"]).exit_code == 2
    assert "jobs/new.toml: model is missing" in capfd.readouterr().err
    done = CliRunner().invoke(cli, ["plan", "jobs/new.toml", "-m", "m", "--engine", ENGINE])
    assert done.exit_code == 0
    assert done.stdout.startswith("rows      8 in = 8 with a request")
    assert "  text: The lamp in room 0 does not switch on" in done.stdout


def test_any_names_and_values_make_a_file_that_can_be_read(tickets: Path) -> None:
    names = ["Order no.", "it's '''", 'a "b"', "for", "größe", "tab\\t"]
    tickets.write_text(
        ",".join('"' + name.replace('"', '""') + '"' for name in names)
        + "\n"
        + ",".join(f'"{name[:2]} ""\\ # \n\x07"' for name in names).replace('"a "', '"a ')
        + "\n"
    )
    assert init("tickets.csv").exit_code == 0
    spec = file.load(Path("job.toml"), {"model": "m"})
    assert '{{ row["Order no."] }}' in (spec.prompt or "")
    assert '{{ row["for"] }}' in (spec.prompt or "")
    assert "{{ größe }}" in (spec.prompt or "")
    done = CliRunner().invoke(cli, ["plan", "job.toml", "-m", "m", "--engine", ENGINE])
    assert done.exit_code == 0


def test_a_file_that_is_there_is_left_as_it_is(
    tickets: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("job.toml").write_text("mine")
    assert init("tickets.csv").exit_code == 2
    assert "job.toml: is there already; name another file (-o FILE)" in capfd.readouterr().err
    assert Path("job.toml").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "line"),
    [("-", "standard input"), ("none.csv", "none.csv"), ("empty.csv", "empty.csv")],
)
def test_an_input_without_rows_is_no_start(
    tickets: Path, capfd: pytest.CaptureFixture[str], name: str, line: str
) -> None:
    Path("empty.csv").write_text("a,b\n")
    assert init(name).exit_code == 2
    assert line in capfd.readouterr().err
    assert not Path("job.toml").exists()
