"""The thinking before an answer has a column and a count of its own."""

import json

from tests.cli.command import QuickJob

ROWS = "text\na\nb\nFAIL:unfinished_thinking c\n"


def test_thinking_stands_beside_the_answer(quick: QuickJob) -> None:
    quick.write("in.csv", ROWS)
    done = quick.run("--thinking", "on", "--meta", "-v")
    assert done.code == 3
    first = quick.records()[0]
    assert first["response"].startswith("answer ")
    assert (first["reasoning"], first["reasoning_tokens"], first["output_tokens"]) == (
        "Let me see",
        2,
        4,
    )
    assert quick.report()["reasoning_tokens"] == 4
    assert "thinking    4 of all output tokens, before the answers" in done.stderr
    assert "advice: the model did not end its thinking" in done.stderr
    failed = json.loads((quick.folder / "out.errors.jsonl").read_text().splitlines()[0])["error"]
    assert (failed["kind"], failed["attempts"]) == ("unfinished_thinking", 2)


def test_it_takes_another_name_beside_such_a_column(quick: QuickJob) -> None:
    quick.write("in.csv", "text,reasoning\na,mine\n")
    assert quick.run("--thinking", "20").code == 0
    (row,) = quick.records()
    assert (row["reasoning"], row["response_reasoning"]) == ("mine", "Let me see")


def test_without_thinking_there_is_no_column(quick: QuickJob) -> None:
    quick.write("in.csv", "text\na\n")
    for flags in ([], ["--thinking", "off"]):
        assert quick.run(*flags, "--meta").code == 0
        assert not {"reasoning", "reasoning_tokens"} & quick.records()[0].keys()
