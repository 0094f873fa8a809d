"""Input that cannot be used: one line that says what and where, exit code 2, nothing left."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from tests.cli.command import ENGINE, Job, QuickJob

USUAL = ("-o", "out.jsonl", "-m", "m", "-p", "Say {{ text }}", "--engine", ENGINE)
CSV = "id,text\n1,hello\n"
GZIP = gzip.compress(("id,text\n" + "1,hello\n" * 5000).encode(), mtime=0)


@dataclass(frozen=True)
class Refused:
    """A job that is refused, and the words that must stand in the one line about it."""

    name: str
    words: tuple[str, ...]
    flags: tuple[str, ...] = ()
    input: str = "in.csv"
    files: Mapping[str, str | bytes] = field(default_factory=dict)


def content(name: str, text: str | bytes, *words: str, input: str = "in.csv") -> Refused:
    """The file itself is of no use."""
    return Refused(name, (input, *words), input=input, files={input: text})


CONTENT = (
    content("empty csv", "", "is empty", "no header line"),
    content("encoding", b"id,text\n1,\xcf\xf0\xe8\xe2\n", "line 2", "--encoding cp1252"),
    content("two separators", "id,text;a\n1,2;3\n", "--delimiter ',' or --delimiter ';'"),
    content("title", "Report\nid,text\n1,a\n2,b\n", "line 1", "--skip-lines 1"),
    content("header: open quote", '"id,text\n1,a\n', "line 1", "unclosed quote"),
    content("json path", '{"data": [{"text": "a"}]}\n', "--json-path data", input="in.json"),
    content("gzip damaged", GZIP[:9] + b"\xff" * 40, "damaged", input="in.csv.gz"),
    content("parquet", b"PAR1", "is not Parquet, or damaged", input="in.parquet"),
    content("unknown suffix", CSV, "no format has the suffix '.cvs'", "'.csv'?", input="in.cvs"),
    content("response column", "text,response\na,b\n", "'response'", "--response-column"),
)

PATHS = (
    Refused("missing file", ("nope.csv", "no such file"), input="nope.csv"),
    Refused(
        "output in the folder that is the input",
        ("out.jsonl", "the input .", "next run"),
        input=".",
    ),
    Refused("stdin of no format", ("--input-format",), input="-"),
    Refused("no such folder", ("nope/out.jsonl", "no folder nope"), ("-o", "nope/out.jsonl")),
    Refused("unwritable folder", ("/proc/out",), ("-o", "/proc/out.jsonl")),
    Refused("output is the input", ("is the input",), ("-o", "./in.csv")),
    Refused(
        "error file is the input",
        ("out.errors.jsonl", "is the input"),
        input="out.errors.jsonl",
        files={"out.errors.jsonl": '{"text": "a"}\n'},
    ),
    Refused(
        "output is a folder",
        ("folder.csv", "is a folder"),
        ("-o", "folder.csv"),
        files={"folder.csv/file": ""},
    ),
    Refused("output suffix", ("'.jsnl'", "'.jsonl'?"), ("-o", "out.jsnl")),
    Refused("packed output", (".gz", "unpacked"), ("-o", "out.jsonl.gz")),
    Refused(
        "damaged store",
        ("job.duckdb", "cannot be opened"),
        files={"out.llmbatch/job.duckdb": "no database"},
    ),
    Refused("state in no folder", ("nope/state", "state folder"), ("--state", "nope/state")),
)

TEMPLATES = (
    Refused("unknown column", ("'txt'", "did you mean 'text'?", "id, text"), ("-p", "{{ txt }}")),
    Refused("unknown id column", ("'ID'", "did you mean 'id'?"), ("--id-column", "ID")),
    Refused(
        "template syntax", ("prompt, line 2", "did you mean {{ text }}?"), ("-p", "a\n{{ text }")
    ),
)

ANSWERS = (
    Refused(
        "invalid schema",
        ("not a JSON Schema", "$.type", "strin"),
        ("--schema", "schema.json"),
        files={"schema.json": '{"type": "strin"}'},
    ),
    Refused(
        "dangling reference",
        ("#/$defs/x", "points to nothing"),
        ("--schema", "schema.json"),
        files={"schema.json": '{"$ref": "#/$defs/x"}'},
    ),
    Refused(
        "schema is not json",
        ("schema.json", "is not JSON", "line 1"),
        ("--schema", "schema.json"),
        files={"schema.json": "{'type': 'object'}"},
    ),
    Refused("missing schema", ("nope.json", "cannot be read"), ("--schema", "nope.json")),
    Refused("bad regex", ("regex: the set has no end", "character 1 of"), ("--regex", "[a-")),
    Refused("odd regex", ("regex: \\q has no", "write q", "character 2 of"), ("--regex", "a\\q")),
    Refused("same choice twice", ("choice", "must differ"), ("--choice", "a", "--choice", "a")),
    Refused("two constraints", ("at most one",), ("--choice", "a", "--regex", "a")),
    Refused("temperature", ("--temperature", "from 0 to 2", "'-1'"), ("--temperature", "-1")),
)

ENGINES = (
    Refused("engine name", ("'vlm'", "did you mean 'vllm'?"), ("--engine", "vlm")),
    Refused("engine module", ("nope:create", "No module named"), ("--engine", "nope:create")),
    Refused("engine option", ("'widow'", "'window'?"), ("--engine-arg", "widow=3")),
    Refused("engine option value", ("'window'", "many"), ("--engine-arg", "window=many")),
    Refused("model path", ("'./nope'", "no such folder"), ("--engine", "vllm", "-m", "./nope")),
    Refused("model name", ("'no/model'", "HF_HUB"), ("--engine", "vllm", "-m", "no/model")),
    Refused(
        "vllm option",
        ("'max_num_seq'", "'max_num_seqs'?"),
        ("--engine", "vllm", "--engine-arg", "max_num_seq=4"),
    ),
)


def job_file(name: str, text: str, *words: str) -> Refused:
    whole = f'input = "in.csv"\n{text}'
    return Refused(name, ("job.toml", *words), input="job.toml", files={"job.toml": whole})


JOB_FILES = (
    job_file("unknown key", 'promt = "a"', "unknown key 'promt'", "'prompt'?"),
    job_file("unknown key in a table", "[sampling]\nseeed = 1", "'sampling.seeed'", "'seed'?"),
    job_file("wrong type", 'run.chunk_size = "many"', "run.chunk_size", "whole number", "'many'"),
    job_file("not toml", "output = =", "is not TOML", "line 2"),
)


ALL = [*CONTENT, *PATHS, *TEMPLATES, *ANSWERS, *ENGINES, *JOB_FILES]


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_what_cannot_be_used_is_refused_in_one_line(job: QuickJob, case: Refused) -> None:
    for name, text in {"in.csv": CSV, **case.files}.items():
        job.write(name, text)
    before = job.names()
    finished = job.command("run", case.input, *USUAL, *case.flags)
    assert [word for word in case.words if word not in finished.error] == [], finished.error
    assert finished.code == 2
    assert finished.stdout == ""
    assert job.names() == before, "something was left behind"


def test_a_missing_flag_is_named(job: Job) -> None:
    finished = job.command("run", "in.csv", "-o", "out.jsonl", "-m", "m")
    assert finished.code == 2
    assert "prompt is missing" in finished.error
    assert "--help" in finished.error
    assert job.names() == {"in.csv"}


def test_an_unknown_flag_is_answered_with_the_nearest(job: Job) -> None:
    finished = job.run("--chunk-siz", "3")
    assert finished.code == 2
    assert "--chunk-size" in finished.stderr
    assert job.names() == {"in.csv"}
