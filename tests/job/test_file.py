"""Job files and flags become one checked spec; mistakes are named with their remedy."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job import file
from llmbatch.job.spec import JobSpec

BARE = 'input = "a.csv"\noutput = "b.csv"\nmodel = "m"\nprompt = "p"\n'
WHOLE = """
input = "in.csv"
output = "out.jsonl"
model = "tiny"
prompt = "Say {{ text }}"

[sampling]
temperature = 0.5
max_tokens = 7
stop = ["\\n"]

[answer]
choice = ["yes", "no"]

[engine]
name = "vllm"
max_num_seqs = 4

[cost]
price_per_hour = 2.5
"""
FLAGS: dict[str, Any] = {"input": "in.csv", "output": "o.jsonl", "model": "m", "prompt": "p"}


def load(folder: Path, text: str, flags: dict[str, Any] | None = None) -> JobSpec:
    path = folder / "job.toml"
    path.write_text(text, encoding="utf-8")
    return file.load(path, flags or {})


def refusal(folder: Path, text: str, flags: dict[str, Any] | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        load(folder, text, flags)
    return str(caught.value)


def test_a_job_file_is_read_whole(tmp_path: Path) -> None:
    spec = load(tmp_path, WHOLE)
    assert spec.prompt == "Say {{ text }}"
    assert (spec.sampling.temperature, spec.sampling.stop) == (0.5, ("\n",))
    assert spec.answer.choice == ("yes", "no")
    assert spec.engine.options == {"max_num_seqs": 4}
    assert spec.cost.price_per_hour == 2.5


def test_flags_alone_make_a_job() -> None:
    spec = file.load(None, FLAGS)
    assert (spec.input.name, spec.output) == ("in.csv", "o.jsonl")


def test_flags_win_key_by_key(tmp_path: Path) -> None:
    flags = {"prompt": "Other", "sampling": {"max_tokens": 9}, "engine": {"dtype": "half"}}
    spec = load(tmp_path, WHOLE, flags)
    assert spec.prompt == "Other"
    assert (spec.sampling.max_tokens, spec.sampling.temperature) == (9, 0.5)
    assert spec.engine.options == {"max_num_seqs": 4, "dtype": "half"}


@pytest.mark.parametrize(
    "answer", [{"choice": ["maybe"]}, {"regex": "a+"}, {"schema": "flag_schema.json"}]
)
def test_a_constraint_flag_replaces_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    (tmp_path / "flag_schema.json").write_text('{"type": "object"}')
    monkeypatch.chdir(tmp_path)
    held = load(tmp_path, WHOLE, {"answer": answer}).answer.model_dump(by_alias=True)
    given = {name for name, value in held.items() if value is not None}
    assert given == {*answer, "constrain"}


def test_a_flag_for_how_an_answer_is_held_leaves_its_form(tmp_path: Path) -> None:
    whole = load(tmp_path, WHOLE, {}).answer
    held = load(tmp_path, WHOLE, {"answer": {"constrain": "check"}}).answer
    assert held == whole.model_copy(update={"constrain": "check"})
    other = load(tmp_path, WHOLE, {"answer": {"constrain": "check", "regex": "a+"}}).answer
    assert (other.constrain, other.regex, other.choice) == ("check", "a+", None)


def test_paths_of_the_file_start_at_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    text = WHOLE.replace('"tiny"', '"model"').replace('"out.jsonl"', '"out.jsonl"\nstate = "s"')
    spec = load(tmp_path, text)
    wanted = [str(tmp_path / name) for name in ("in.csv", "out.jsonl", "s", "model")]
    assert [spec.input.name, spec.output, spec.state, spec.model] == wanted


def test_what_is_no_path_is_left_alone(tmp_path: Path) -> None:
    spec = load(tmp_path, WHOLE.replace('"in.csv"', '"-"').replace('"tiny"', '"owner/name"'))
    assert (spec.input.name, spec.model) == ("-", "owner/name")


def test_a_model_written_as_a_path_is_one(tmp_path: Path) -> None:
    spec = load(tmp_path, WHOLE.replace('"tiny"', '"./missing"'))
    assert Path(spec.model) == tmp_path / "missing"


def test_paths_of_flags_start_where_the_command_does(tmp_path: Path) -> None:
    assert load(tmp_path, WHOLE, {"input": "flag.csv"}).input.name == "flag.csv"


def test_prompts_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "ask.j2").write_text("Ask {{ text }}\nnow", encoding="utf-8")
    (tmp_path / "sys.j2").write_text("Be ü", encoding="utf-8")
    text = WHOLE.replace('"Say {{ text }}"', '"@ask.j2"\nsystem = "@sys.j2"')
    spec = load(tmp_path, text)
    assert (spec.prompt, spec.system) == ("Ask {{ text }}\nnow", "Be ü")


@pytest.mark.parametrize("name", ["schema.json", "@schema.json"])
def test_a_schema_comes_from_a_file_in_its_order(tmp_path: Path, name: str) -> None:
    (tmp_path / "schema.json").write_text('{"type": "object", "properties": {"b": {}, "a": {}}}')
    schema = load(tmp_path, WHOLE.replace('choice = ["yes", "no"]', f'schema = "{name}"'))
    assert list((schema.answer.json_schema or {})["properties"]) == ["b", "a"]


def test_a_schema_may_stand_in_the_file(tmp_path: Path) -> None:
    text = WHOLE.replace('choice = ["yes", "no"]', 'schema = { type = "object" }')
    assert load(tmp_path, text).answer.json_schema == {"type": "object"}


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ("output =", "outptu =", "unknown key 'outptu' (did you mean 'output'?)"),
        ("max_tokens", "max_token", "unknown key 'sampling.max_token' (did you mean 'max_tokens'"),
        ("choice", "json_schema", "unknown key 'answer.json_schema' (did you mean 'schema'?)"),
        ("[cost]", "[cots]", "unknown key 'cots' (did you mean 'cost'?)"),
        ("price_per_hour", "qqq", "unknown key 'cost.qqq'"),
        ("temperature = 0.5", 'temperature = "hot"', "sampling.temperature: "),
        ("temperature = 0.5", "temperature = 2.5", "sampling.temperature: "),
        ("temperature = 0.5", "temperature = -1", "sampling.temperature: "),
        ("max_tokens = 7", "max_tokens = 0", "sampling.max_tokens: "),
        ("max_tokens = 7", "max_tokens = 1.5", "sampling.max_tokens: "),
        ("price_per_hour = 2.5", "price_per_hour = nan", "cost.price_per_hour: "),
        ('prompt = "Say {{ text }}"', 'prompt = ""', "prompt: "),
        ('prompt = "Say {{ text }}"', "", "prompt is missing"),
        ('prompt = "Say {{ text }}"', "prompt = 3", "prompt: "),
        ('["yes", "no"]', "[]", "answer.choice: "),
        ('choice = ["yes", "no"]', 'choice = ["a"]\nregex = "a"', "at most one of"),
    ],
)
def test_a_mistake_in_the_file_is_named(
    tmp_path: Path, written: str, instead: str, said: str
) -> None:
    assert written in WHOLE
    message = refusal(tmp_path, WHOLE.replace(written, instead))
    assert message.startswith(f"{tmp_path / 'job.toml'}: ")
    assert said in message


def test_a_section_that_is_no_table_is_named(tmp_path: Path) -> None:
    assert "job.toml: sampling: " in refusal(tmp_path, f"{BARE}sampling = 3\n")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"sampling": {"top_p": 3.0}}, "--top-p: "),
        ({"cost": {"price_per_hour": -1.0}}, "--price-per-hour: "),
        ({"cost": {"price_per_million": "1/-2"}}, "--price-per-million: "),
        ({"engine": {"name": 5}}, "--engine: "),
        ({"cost": {"currency": ""}}, "--currency: must have 1 to 8 characters"),
    ],
)
def test_a_mistake_in_a_flag_is_laid_to_the_flag(
    tmp_path: Path, flags: dict[str, Any], said: str
) -> None:
    assert refusal(tmp_path, WHOLE, flags).startswith(said)


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        ("devices = true", "job.toml: cost.devices: must be a number"),
        ("price_per_hour = true", "job.toml: cost.price_per_hour: must be a number"),
        ("price_per_million = 5", "cost.price_per_million: write IN/OUT or IN/OUT/CACHED, or a"),
        ("price_per_million = {input = 1, output = false}", "must be a number"),
        ('currency = ""', "job.toml: cost.currency: must have 1 to 8 characters"),
        ('currency = "U\\nSD"', "job.toml: cost.currency: must have letters, digits or symbols"),
        ('currency = "US D"', "job.toml: cost.currency: must have letters, digits or symbols"),
        ('currency = "U\\u007fSD"', "job.toml: cost.currency: must have letters"),
        ('currency = "dollarsandcents"', "job.toml: cost.currency: must have 1 to 8 characters"),
    ],
)
def test_a_price_must_make_sense(tmp_path: Path, cost: str, said: str) -> None:
    assert said in refusal(tmp_path, f"{BARE}[cost]\n{cost}\n")


def test_both_prices_are_refused_without_their_table(tmp_path: Path) -> None:
    both = 'price_per_hour = 1.0\nprice_per_million = "1/2"'
    message = refusal(tmp_path, f"{BARE}[cost]\n{both}\n")
    assert "cost: price_per_hour and price_per_million are both given" in message
    assert "{" not in message
    assert "got" not in message


@pytest.mark.parametrize(
    ("held", "given", "left"),
    [
        ("price_per_hour = 1.0", {"price_per_million": "1/2"}, "price_per_million"),
        ('price_per_million = "1/2"', {"price_per_hour": 1.0}, "price_per_hour"),
    ],
)
def test_a_price_by_flag_replaces_the_other_one(
    tmp_path: Path, held: str, given: dict[str, Any], left: str
) -> None:
    path = tmp_path / "job.toml"
    path.write_text(f'{BARE}[cost]\ncurrency = "EUR"\n{held}\n')
    cost = file.load(path, {"cost": given}).cost
    assert cost.currency == "EUR"
    prices = {"price_per_hour": cost.price_per_hour, "price_per_million": cost.price_per_million}
    assert [name for name, price in prices.items() if price is not None] == [left]


def test_reports_of_a_job_file_lie_beside_it_and_flags_win(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text(f'{BARE}[run]\nreports = ["a.md", "b.html"]\n')
    beside = (str(tmp_path / "a.md"), str(tmp_path / "b.html"))
    assert file.load(path, {}).run.reports == beside
    assert file.load(path, {"run": {"reports": ["c.md"]}}).run.reports == ("c.md",)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    message = refusal(tmp_path, WHOLE.replace("output", "outptu"), {"sampling": {"top_p": 3.0}})
    assert "outptu" in message
    assert "output is missing" in message
    assert "--top-p: " in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'input = "a', "is not TOML: "),
        (b"input = \xff", "is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_job_file_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "job.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=f"job.toml: {said}"):
        file.load(path, {})


def test_a_job_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml: cannot be read: No such file"):
        file.load(tmp_path / "none.toml", {})


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"prompt": "@none.j2"}, "command line: prompt: none.j2: cannot be read"),
        ({"prompt": "@latin.j2"}, "command line: prompt: latin.j2: is not UTF-8"),
        ({"answer": {"schema": "none.json"}}, "command line: schema: none.json: cannot be read"),
        ({"answer": {"schema": "latin.j2"}}, "command line: schema: latin.j2: is not UTF-8"),
        ({"answer": {"schema": "bad.json"}}, "command line: schema: bad.json: is not JSON"),
        ({"answer": {"schema": "list.json"}}, "--schema: "),
    ],
)
def test_a_file_that_a_flag_names_must_be_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: dict[str, Any], said: str
) -> None:
    (tmp_path / "latin.j2").write_bytes(b"caf\xe9")
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "list.json").write_text("[1]")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        file.load(None, FLAGS | flags)
    assert said in str(caught.value)


def test_the_input_is_a_name_a_list_or_a_table(tmp_path: Path) -> None:
    rest = 'output = "o.jsonl"\nmodel = "m"\nprompt = "p"\n'
    former = load(tmp_path, f'input = "a.txt"\ninput_format = "csv"\n{rest}').input
    table = load(tmp_path, f'{rest}[input]\nfiles = ["a.txt"]\nformat = "csv"\n').input
    several = load(tmp_path, f'input = ["a.csv", "b.csv"]\n{rest}').input
    assert former == table
    assert (former.name, former.format) == (str(tmp_path / "a.txt"), "csv")
    assert several.files == (str(tmp_path / "a.csv"), str(tmp_path / "b.csv"))
    flags = {"input": {"delimiter": ";"}}
    assert load(tmp_path, f'input = "a.csv"\n{rest}', flags).input.delimiter == ";"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("delimiter", ";;", "--delimiter: write one character, tab or none"),
        ("quote", "", "--quote: write one character, or none"),
        ("encoding", "utf-9", "--encoding: no such encoding; usual ones: utf-8, cp1252, utf-16"),
        ("encoding", "hex", "--encoding: no such encoding"),
        ("max_shrink", "20", "--max-shrink: write a share of the rows: 20%"),
        ("files", ["a.csv", ""], "INPUT: the name of a file is empty"),
        ("files", [], "no file is named"),
    ],
)
def test_a_reading_that_cannot_be_is_refused(key: str, value: object, said: str) -> None:
    flags = {"output": "o.csv", "model": "m", "prompt": "p", "input": {"files": ["a.csv"]}}
    flags["input"] = {"files": ["a.csv"]} | {key: value}
    with pytest.raises(UsageError, match=said):
        file.load(None, flags)
