"""The quick way of a plain output writes what its writer does."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core import clock
from llmbatch.core.outcomes import Verdict
from llmbatch.core.records import Record
from llmbatch.formats.jsonl import JsonlWriter
from llmbatch.pipeline.rows import output_file, quick_lines
from llmbatch.pipeline.rows.columns import Layout
from llmbatch.pipeline.tasks import registry
from llmbatch.store import plans, results, runs, snapshots
from llmbatch.store.opening import open_store
from llmbatch.store.rendered_rows import RenderedRow
from llmbatch.store.runs import Attempt
from llmbatch.store.snapshots import Row, Source
from tests.quality.signs import stored

DATA = (
    "{}",
    "{ }",
    '{"t": 1.10}',
    ' {"t":"\\u00e9\\ud83d\\ude00"} ',
    '{"t": "long' + "x" * 20_000 + '"}',
)
TEXTS = ("", "plain", 'with "quotes"\n and lines', "déjà \u2028 vu", "\x00\x1f", "y" * 20_000)
JSONS = ("{}", '{"a":\n 1.10}', "[1,\r\n2]", '"text"', "null")
SCHEMA = {"answer": {"schema": {"type": "object"}}}


@pytest.mark.parametrize(("settings", "answers"), [({}, TEXTS), (SCHEMA, JSONS)])
def test_as_the_writer(tmp_path: Path, settings: dict[str, Any], answers: tuple[str, ...]) -> None:
    job = stored.spec(**settings)
    output = output_file.make(job, registry.make(job).columns)
    layout = Layout(output, ["t"])
    assert quick_lines.is_plain(output, layout)
    pairs = [(data, answer) for data in DATA for answer in answers]
    items = [Row(n, str(n), Record(n, data)) for n, (data, _) in enumerate(pairs, 1)]
    with open_store(tmp_path / "job.duckdb") as db:
        source = Source("in.jsonl", "jsonl", "d", None, ["t"])
        snapshot = snapshots.replace(db, items, lambda: source)
        rendered = [
            RenderedRow(n, f"{n:032x}", None, None, str(n)) for n in range(1, len(items) + 1)
        ]
        plan = plans.replace(db, snapshot.snapshot, "p", [rendered], None)
        run = runs.begin(db, plan.plan, clock.moment(), dict(stored.USUAL))
        attempts = [
            Attempt(f"{n:032x}", 1, Verdict.ANSWERED, None, None, "stop", answer, 1, 0, 1)
            for n, (_, answer) in enumerate(pairs, 1)
        ]
        runs.checkpoint(db, run, 1, attempts, {})
        quick, plain = BytesIO(), BytesIO()
        assert quick_lines.write(db, quick, output, layout) == len(pairs)
        with JsonlWriter(plain, ["t"], layout.columns) as writer:
            for row in results.in_input_order(db, ["answered"]):
                writer.write(row["data"], layout.answer(row))
    assert quick.getvalue() == plain.getvalue()
