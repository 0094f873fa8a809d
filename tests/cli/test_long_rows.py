"""Rows too long for a table go the same way as others."""

import json

from tests.cli.command import QuickJob

TEXTS = ["short", "é" * 30_000, '{"a": [1.10, "x"]}' + "\n" * 40_000, "z" * 300_000]


def write_rows(job: QuickJob) -> None:
    rows = [json.dumps({"id": f"00{n}", "text": text}) for n, text in enumerate(TEXTS)]
    job.write("in.jsonl", "\n".join(rows))
    job.input = "in.jsonl"


def test_a_long_row_is_sent_and_written_whole(quick: QuickJob) -> None:
    write_rows(quick)
    finished = quick.run("-p", "{{ text }}", "--system", "Say. " * 5_000)
    assert finished.code == 0, finished.stderr
    assert [(row["id"], row["text"]) for row in quick.records()] == [
        (f"00{n}", text) for n, text in enumerate(TEXTS)
    ]
    assert quick.computed() == len(TEXTS)


def test_long_texts_that_are_gone_are_read_again_and_no_answer_is_paid_for_twice(
    quick: QuickJob,
) -> None:
    write_rows(quick)
    assert quick.run().code == 0
    before, _ = quick.output.read_bytes(), quick.computed()
    for path in quick.state.glob("texts.*"):
        path.unlink()
    quick.output.unlink()
    exported = quick.command("export", "out.jsonl", "-o", "other.jsonl")
    assert exported.code != 0
    assert "reads them from the input again" in exported.error
    assert quick.run().code == 0
    assert (quick.output.read_bytes(), quick.computed()) == (before, 0)
