"""Values of a job that could not be kept are refused in one line, wherever they come from."""

import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.cli import main
from llmbatch.cli.options import JobArguments
from llmbatch.core.errors import UsageError
from llmbatch.job import file
from llmbatch.job.spec import JobSpec
from llmbatch.job.values import MAX_DEPTH, faults

FLAGS = {"input": "in.csv", "output": "out.jsonl", "model": "m", "prompt": "p"}
TOP = "".join(f'{name} = "{value}"\n' for name, value in FLAGS.items())
DEEP = "[" * 3000 + "]" * 3000


IN_A_FILE = [
    ("[answer.schema]\nmaximum = 100000000000000000000", "answer.schema.maximum: ", "64 bits"),
    ("[answer.schema]\nenum = [1, 2020-01-01]", "answer.schema.enum.1: ", "quotes"),
    ("[answer.schema]\nmaximum = inf", "answer.schema.maximum: ", "finite"),
    ("[answer.schema.properties.a]\nconst = 06:00:00", "answer.schema.properties.a.const", "time"),
    ("[engine]\nseed = 2020-01-01T00:00:00Z", "engine.seed: ", "2020-01-01"),
    ("[engine]\nseed = 9223372036854775808", "engine.seed: ", "64 bits"),
    ("[engine.options]\na = [{ b = nan }]", "engine.options.a.0.b: ", "finite"),
    ("[run]\nmax_rows = 100000000000000000000", "run.max_rows: ", "64 bits"),
    ("[run]\ndeadline = 06:00:00", "run.deadline: ", "quotes"),
    ("[run]\nstall_timeout = inf", "run.stall_timeout: ", "finite"),
    ("[run]\ngrace = 1e300", "run.grace: ", "0 to 1,000,000,000 seconds"),
    ("[run]\nfail_fast = '5%/99999999999999999999'", "run.fail_fast: ", "how many"),
    ("[cost]\nprice_per_hour = 1e300", "cost.price_per_hour: ", "0 to 1,000"),
    ("[cost]\nprice_per_million = '1e300/1'", "cost.price_per_million.input: ", "0 to 1,000"),
    ("[cost.price_per_million]\ninput = 1\noutput = 1\ncashed = 1", "million.cashed'", "'cached'?"),
    ('state = "a\\u0000b"', "state: ", "NUL"),
    ('system = "@a\\u0000b"', "system: ", "NUL"),
    ("[engine]\n" + ".".join("a" * 200) + " = 1", "engine.a: ", f"{MAX_DEPTH} levels"),
    (f"a = {DEEP}", "is not TOML: ", "recursion"),
    ("a = " + "1" * 5000, "is not TOML: ", "digits"),
]


@pytest.mark.parametrize(("text", "where", "what"), IN_A_FILE, ids=lambda text: text[:40])
def test_a_job_file_holds_only_what_can_be_kept(
    tmp_path: Path, text: str, where: str, what: str
) -> None:
    path = tmp_path / "job.toml"
    path.write_text(TOP + text)
    with pytest.raises(UsageError) as caught:
        file.load(path, {})
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert where in said
    assert what in said
    assert len(said) < 400 + len(str(path))


IN_A_SCHEMA_FILE = [
    ('{"const": 123456789012345678901234567890}', "--schema: const: is an integer", "64 bits"),
    (
        '{"properties": {"n": {"maximum": 18446744073709551616}}}',
        "--schema: properties.n.max",
        "64",
    ),
    ('{"const": "\\ud800"}', "schema: ", ""),
    ('{"maximum": 1e400}', "schema: ", ""),
    (DEEP, "schema: ", "nested too deep"),
    ('{"a":' * 150 + "1" + "}" * 150, "--schema: ", f"{MAX_DEPTH} levels"),
]


@pytest.mark.parametrize(("text", "where", "what"), IN_A_SCHEMA_FILE, ids=lambda text: text[:20])
def test_a_schema_file_holds_only_what_can_be_kept(
    tmp_path: Path, text: str, where: str, what: str
) -> None:
    (tmp_path / "schema.json").write_text(text)
    with pytest.raises(UsageError) as caught:
        file.load(None, FLAGS | {"answer": {"schema": str(tmp_path / "schema.json")}})
    assert where in str(caught.value)
    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"answer": {"choice": ["a", "\udcff"]}}, r"--choice: .*not Unicode text"),
        ({"prompt": "a\udcff"}, r"--prompt: .*character 2"),
        ({"input": "\udcff"}, r"INPUT: "),
        ({"state": "a\0"}, r"--state: .*NUL"),
        ({"engine": {"x": float("inf")}}, r"--engine-arg x: .*finite"),
        ({"engine": {"\udcff": 1}}, r"the key '\\udcff' is not Unicode"),
        ({"run": {"grace": float("inf")}}, r"--grace: .*finite"),
        ({"cost": {"devices": 10**30}}, r"--devices: .*64 bits"),
    ],
)
def test_flags_hold_only_what_can_be_kept(flags: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        file.load(None, FLAGS | flags)


@pytest.mark.parametrize("text", [DEEP, "1" * 5000])
def test_a_value_that_is_not_toml_is_a_text(text: str) -> None:
    given: dict[str, Any] = {"engine_args": [f"a={text}"], "trusted": False}
    given |= {"template_args": (), "adapter_folders": ()}
    assert JobArguments.parse(["in.csv"], given).flags["engine"] == {"a": text}


@pytest.mark.parametrize(
    "command", [["run", "--choice", "\udcff"], ["report", "\udcff"], ["\udcff"]]
)
def test_bytes_that_are_no_text_are_refused(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["llmbatch", *command])
    with pytest.raises(SystemExit) as left:
        main.entry()
    assert left.value.code == 2
    said = capfd.readouterr().err
    assert said.startswith("llmbatch: error: argument '\\udcff': is not UTF-8 text")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        ["status", "x", "--watch", "--interval", "inf"],
        ["status", "x", "--watch", "--interval", "nan"],
        ["plan", "x", "--sample", "9" * 20],
        ["tune", "x", "--rows", "9" * 20],
        ["plan", "x", "--sample", "9" * 5000],
    ],
)
def test_a_number_that_nothing_can_be_done_with_is_refused(
    command: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    done = CliRunner().invoke(main.cli, command)
    assert done.exit_code == 2
    assert command[-2] in done.output + capfd.readouterr().err


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | st.text(st.characters())  # surrogates, too
    | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=8,
)


@given(ANYTHING)
def test_what_has_no_fault_can_be_kept(value: Any) -> None:
    if any(faults(value)):
        return
    assert orjson.loads(orjson.dumps(value)) == value
    spec = JobSpec.model_validate(FLAGS | {"engine": {"option": value}})
    kept = orjson.loads(orjson.dumps(spec.model_dump(mode="json", by_alias=True)))
    assert JobSpec.model_validate(kept).engine.options == {"option": value}


def test_a_schema_may_bound_what_has_no_sign(tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "integer", "maximum": 18446744073709551615}')
    spec = file.load(None, FLAGS | {"answer": {"schema": str(schema)}})
    constraint = spec.answer.to_constraint()
    assert constraint is not None
    assert "18446744073709551615" in constraint.value
