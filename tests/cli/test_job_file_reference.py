"""The reference of the job file is that of the spec, and a misplaced key is told its table."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from llmbatch.cli import job_file_reference
from llmbatch.cli.main import cli
from llmbatch.core.errors import UsageError
from llmbatch.job import file
from llmbatch.job.fields import Affects, effect, leaves
from llmbatch.job.spec import JobSpec
from llmbatch.job.stage import StageSpec


def test_every_key_stands_below_its_table_with_its_effect() -> None:
    told: dict[str, str] = {}
    table = ""
    for line in job_file_reference.lines():
        if line.startswith("["):
            table = line[1 : line.index("]")] + "."
        elif line.startswith("  ") and line[2] != " " and ": " in line:
            name = line[2:].partition(":")[0]
            told[table + name] = line
        elif line.startswith(" " * 6) and told:
            told[[*told][-1]] += " " + line.strip()
    inner = [(f"[model.{key}", field) for key, field in leaves(StageSpec)]
    outer = [(key, field) for key, field in leaves(JobSpec) if key != "stages"]
    for key, field in [*outer, *inner]:
        words = {Affects.ANSWER: "; anew", Affects.RENDERED: "; by prompt"}
        by_identity = ("model", "engine.name", "[model.model")
        word = "; anew" if key in by_identity else words.get(effect(field), "; kept")
        assert word in told[key], key
        assert (field.description or "")[:20] in told[key], key
    assert "a whole number, 1 or more; default: 512" in told["sampling.max_tokens"]
    assert "; needed; " in told["prompt"]


def test_it_is_a_topic_of_help() -> None:
    done = CliRunner().invoke(cli, ["help", "job-file"])
    assert done.exit_code == 0
    assert done.stdout == job_file_reference.text() + "\n"
    assert max(map(len, done.stdout.splitlines())) <= 100


JOB = 'input = "a.csv"\noutput = "b.csv"\nmodel = "m"\nprompt = "{{ a }}"\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (JOB + "max_rows = 3", "unknown key 'max_rows': max_rows belongs to [run]"),
        (JOB + "max-rows = 3", "unknown key 'max-rows': max_rows belongs to [run]"),
        (JOB + 'delimiter = ";"', "unknown key 'delimiter': delimiter belongs to [input]"),
        (JOB + "[run]\ntemperature = 1", "'run.temperature': temperature belongs to [sampling]"),
        (JOB + "[run]\nmax-rows = 1", "'run.max-rows' (did you mean 'max_rows'?)"),
        (JOB + "[run]\nmeta = true", "'run.meta': meta belongs above the first table"),
        (
            JOB.replace("prompt", "[engine]\nprompt"),
            "unknown key 'engine.prompt': prompt belongs above the first table",
        ),
        (JOB + "[engine]\nmax_rows = 3", "'engine.max_rows': max_rows belongs to [run]"),
        (
            JOB.replace("prompt", "[engine]\nname = 'a:b'\nprompt"),
            "prompt is missing: it stands in the table [engine], and belongs above the first table",
        ),
        (JOB + "nonsense = 1", "unknown key 'nonsense'"),
    ],
)
def test_a_misplaced_key_is_told_its_table(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "job.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as raised:
        file.load(path, {}, trusted="a:b" in text)
    assert line in str(raised.value)
