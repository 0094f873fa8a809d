"""All that a schema allows is written, and not lost at the end of a run."""

import io
import json

import pyarrow.parquet as pq

from tests.cli.command import QuickJob

SCHEMA = {
    "type": ["object", "null"],
    "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
}
BIG = 10**20
ANSWERS = ['{"a": 1, "b": "x"}', "null", f'{{"a": {BIG}}}', '{"a": 2, "c": [1.10]}']


def test_answers_that_do_not_fit_into_columns_are_written_all_the_same(quick: QuickJob) -> None:
    rows = "".join(json.dumps({"text": answer}) + "\n" for answer in ANSWERS)
    quick.input = "in.jsonl"
    quick.write("in.jsonl", rows)
    quick.write("schema.json", json.dumps(SCHEMA))
    whole = ("-p", "{{ text }}", "--schema", "schema.json")
    done = quick.run(*whole, "-o", "out.parquet", engine="answer=said")
    assert (done.code, quick.computed()) == (0, len(ANSWERS))
    assert "ignored" not in done.stderr
    table = pq.read_table(io.BytesIO((quick.folder / "out.parquet").read_bytes())).to_pylist()
    assert [(row["a"], row["b"], row["response_rest"]) for row in table] == [
        ("1", "x", None),
        (None, None, None),
        (str(BIG), None, None),
        ("2", None, '{"c":[1.10]}'),
    ]
    assert quick.command("export", "out.parquet", "-o", "out.csv").code == 0
    assert (quick.folder / "out.csv").read_text().splitlines()[3].endswith(f",{BIG},,")
