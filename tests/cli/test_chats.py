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
    assert quick.run(*flags).code == 0
    assert quick.computed() == 2
    quick.write("shown.csv", SHOWN.replace("late", "lost"))
    plan = quick.command("plan", *quick.arguments(*flags)[1:]).stdout
    assert "the examples are others than run 1's" in plan
    assert "to do     2 requests" in plan
    assert plan.endswith(
        "first row, user message:\n  Say where is it\nfirst row, assistant message:\n  lost\n"
        "first row, user message:\n  Say money back\nfirst row, assistant message:\n  refund\n"
        "first row, user message:\n  Say A\n"
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
