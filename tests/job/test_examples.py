"""Rows of examples are read from any format that an input may have, into the job."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job import examples
from llmbatch.job.file import load

NEEDED = {"input": {"files": ["in.csv"]}, "output": "o.csv", "model": "m", "prompt": "p"}
ROWS = ['{"t":"007","response":"a"}', '{"t":"x","response":"b"}']


def test_formats(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = b"t,response\n007,a\nx,b\n"
    (tmp_path / "e.csv").write_bytes(table)
    (tmp_path / "e.csv.gz").write_bytes(gzip.compress(table))
    (tmp_path / "e.tsv").write_bytes(table.replace(b",", b"\t"))
    (tmp_path / "e.jsonl").write_text("\n".join(ROWS))
    (tmp_path / "e.json").write_text(f"[{','.join(ROWS)}]")
    parquet.write_table(pa.Table.from_pylist(list(map(json.loads, ROWS))), tmp_path / "e.parquet")
    for path in tmp_path.iterdir():
        assert examples.read(path, "") == ROWS, path


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("none.csv", None, "cannot be read: No such file"),
        ("e.txt", "t,response\n", "no format has the suffix '.txt'"),
        ("e.csv", "t,response\n", "e.csv: holds no row"),
        ("e.jsonl", '{"t": "x", "response": "b"}\n{"t": \n', "e.jsonl, line 2: "),
        ("e.csv", "t,response\n" + "x,y\n" * 1001, "has 1,001 rows, and each prompt would hold"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, name: str, content: str | None, reason: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UsageError) as caught:
        load(None, NEEDED | {"examples": str(tmp_path / name)})
    assert str(caught.value).startswith("the command line: examples: ")
    assert reason in str(caught.value)


def test_a_job_file_names_a_file_or_holds_the_rows(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("t,response\n007,a\nx,b\n")
    job = tmp_path / "job.toml"
    head = 'input = "in.csv"\noutput = "o.csv"\nmodel = "m"\nprompt = "p"\n'
    job.write_text(f'{head}examples = "e.csv"\n')
    spec = load(job, {})
    assert spec.examples == tuple(ROWS)
    assert spec.template_files["examples"] == str(tmp_path / "e.csv")
    job.write_text(f'{head}[[examples]]\nt = "007"\nresponse = "a"\n')
    assert load(job, {}).examples == (ROWS[0],)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (7, "examples: must be a file of rows, or a list of tables (got 7)"),
        (["x"], 'examples: item 1 is no table of columns (got ["x"])'),
    ],
)
def test_other_values_are_refused(tmp_path: Path, value: Any, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(None, NEEDED | {"examples": value})
    assert reason in str(caught.value)
