"""Examples, own messages, answers that are begun and plain texts, from the command line on."""

import json

from tests.cli.command import QuickJob

ROWS = "text\nA\nB\nA\n"
SHOWN = "text,response\nwhere is it,late\nmoney back,refund\n"
CHATS = [
    {"id": 1, "chat": [{"role": "user", "content": "hello"}]},
    {"id": 2, "chat": [{"role": "user", "content": [{"type": "image_url"}]}]},
    {"id": 3, "chat": None},
    {"id": 4, "chat": '[{"role": "user", "content": "as text"}]'},
]


def test_examples_are_shown_and_a_change_of_them_is_a_change_of_all(quick: QuickJob) -> None:
    quick.write("in.csv", ROWS)
    quick.write("shown.csv", SHOWN)
    flags = ("--examples", "shown.csv")
    seen = quick.command("plan", *quick.arguments(*flags)[1:]).stdout
    assert seen.endswith(
        "first row, user message:\n  Say where is it\nfirst row, assistant message:\n  late\n"
        "first row, user message:\n  Say money back\nfirst row, assistant message:\n  refund\n"
        "first row, user message:\n  Say A\n"
    )
    assert quick.run(*flags).code == 0
    assert quick.computed() == 2
    assert quick.run(*flags).code == 0
    assert quick.computed() == 0
    quick.write("shown.csv", SHOWN.replace("late", "lost"))
    plan = quick.command("plan", *quick.arguments(*flags)[1:]).stdout
    assert "the examples are others than run 2's" in plan
    assert quick.run(*flags).code == 0
    assert quick.computed() == 2
    wrong = quick.run(*flags, "--choice", "refund")
    assert (wrong.code, wrong.error) == (
        2,
        "shown.csv, example 1: its answer is not of the job's form: 'lost' is not one of the "
        "choices",
    )


def test_rows_bring_their_own_messages(quick: QuickJob) -> None:
    quick.write("in.jsonl", "\n".join(map(json.dumps, CHATS)))
    given = ("in.jsonl", "-m", "tiny", "--engine", "tests.scripted_engine:create")
    flags = (*given, "-o", "out.jsonl", "--messages", "chat", "--engine-arg", "answer=echo")
    done = quick.command("run", *flags)
    assert done.code == 3
    assert [line["response"] for line in quick.records()] == ["hello", "as text"]
    errors = quick.folder / "out.errors.jsonl"
    (failed,) = map(json.loads, errors.read_text().splitlines())
    assert failed["error"]["message"] == (
        "column chat: message 1 has a part of type 'image_url': only text is supported"
    )
    plan = quick.command("plan", *flags).stdout
    assert "skipped   1 not asked: column chat is empty\n" in plan
    wrong = quick.command("run", *flags, "-p", "x")
    assert wrong.code == 2
    assert wrong.error.startswith("--messages chat: each row brings its own messages, so there can")


def test_an_answer_that_is_begun_is_whole_in_the_output_and_checked_as_a_whole(
    quick: QuickJob,
) -> None:
    quick.write("in.csv", ROWS)
    flags = ("--prefill", "It: ", "--regex", "It: (A|Say B)", "--constrain", "check")
    done = quick.run(*flags, "--duplicates", "once", engine="answer=said")
    assert done.code == 3
    assert [line["response"] for line in quick.records()] == ["It: Say B"]
    plan = quick.command("plan", *quick.arguments(*flags)[1:]).stdout
    assert plan.endswith("first row, beginning of the answer:\n  It: \n")
    assert "notice    the prefill ends with white space" in plan
    refused = quick.run(*flags[:-1], "grammar")
    assert (refused.code, refused.error.partition(",")[0]) == (
        2,
        "--prefill: while an answer is written its form (regex) can be held only after the prefill",
    )


def test_a_raw_prompt_is_shown_as_such(quick: QuickJob) -> None:
    quick.write("in.csv", ROWS)
    plan = quick.command("plan", *quick.arguments("--raw")[1:]).stdout
    assert plan.endswith("first row, text, without a chat template:\n  Say A\n")
    plain, raw = quick.run(), quick.run("--raw")
    assert (plain.code, raw.code, quick.computed()) == (0, 0, 4)
