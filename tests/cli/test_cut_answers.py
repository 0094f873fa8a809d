"""Answers that were cut: what computes them again costs least, and they may be kept."""

import json

import pytest

from llmbatch.cli.commands import retry
from llmbatch.core.errors import UsageError
from tests.cli.command import QuickJob

SHORT, LONG = 8, 2
ROWS = [*(f"row {n}" for n in range(SHORT)), *(f"LENGTH:{n}" for n in range(96, 96 + LONG))]


@pytest.fixture
def cut(quick: QuickJob) -> QuickJob:
    """A job of which a run has cut the long answers, at 10 and 20 tokens."""
    quick.write("in.csv", "id,text\n" + "".join(f"{n},{text}\n" for n, text in enumerate(ROWS)))
    assert quick.run("--max-tokens", "10").code == 3
    assert quick.computed() == SHORT + 2 * LONG
    return quick


def assert_sound(job: QuickJob) -> None:
    checked = job.command("check", "out.jsonl")
    assert checked.code == 0, checked.stdout


def test_a_reopening_gives_the_cut_rows_alone_a_larger_limit(cut: QuickJob) -> None:
    error = cut.errors()[0]["error"]
    assert error["kind"] == "truncated"
    with pytest.raises(UsageError, match="had up to 20 tokens already"):
        retry.reopen(cut.output, ["truncated"], 20)
    with pytest.raises(UsageError, match="helps no failures of kind 'template'"):
        retry.reopen(cut.output, ["template"], 200)
    done = cut.command("retry", "out.jsonl", "--kind", "truncated", "--max-tokens", "200")
    said = f"llmbatch: {LONG} rows reopened; run the job again to try them with up to 200 tokens\n"
    assert done.stderr == said
    assert cut.run("--max-tokens", "10", "--meta").code == 0
    assert cut.computed() == LONG
    assert [row["output_tokens"] for row in cut.records()[SHORT:]] == [96, 97]
    assert_sound(cut)


def test_an_answer_that_ended_by_itself_is_used_again_under_another_limit(cut: QuickJob) -> None:
    plan = cut.command("plan", *cut.arguments("--max-tokens", "200")[1:])
    told = f"{SHORT} rows have answers that ended before the max_tokens of an earlier run (10)"
    assert told in plan.stdout
    assert f"to do     {LONG} requests" in plan.stdout
    ended = cut.run("--max-tokens", "200")
    assert (ended.code, cut.computed()) == (0, LONG)
    assert told in ended.stderr
    assert_sound(cut)
    # Under a smaller one, too, but for an answer that reaches it: that may be cut there.
    assert cut.run("--max-tokens", "97").code == 0
    assert cut.computed() == 1
    assert_sound(cut)
    # Nothing of it is used where all is to be computed anew, and then it is as before.
    assert cut.run("--max-tokens", "200", "--fresh").code == 0
    assert cut.computed() == len(ROWS)
    assert cut.run("--max-tokens", "200").code == 0
    assert cut.computed() == 0
    assert_sound(cut)


def test_answers_that_are_drawn_without_a_seed_are_not(quick: QuickJob) -> None:
    draws = ("--temperature", "0.5")
    assert quick.run("--max-tokens", "10", *draws).code == 0
    assert quick.run("--max-tokens", "20", *draws).code == 0
    assert quick.computed() == 3 + 3
    seeded = (*draws, "--seed", "1")
    assert quick.run("--max-tokens", "10", *seeded).code == 0
    assert quick.run("--max-tokens", "20", *seeded).code == 0
    assert quick.computed() == 3


def test_cut_answers_may_be_kept(cut: QuickJob) -> None:
    keep = ("--max-tokens", "10", "--on-truncated", "keep", "--meta")
    plan = cut.command("plan", *cut.arguments(*keep)[1:])
    assert f"to do     {LONG} requests" in plan.stdout
    ended = cut.run(*keep)
    assert (ended.code, cut.computed()) == (0, LONG)
    assert f"{LONG} of the answers were cut off, and kept" in ended.stderr
    assert cut.report()["cut_answers"] == LONG
    found = [(row["finish_reason"], row["output_tokens"]) for row in cut.records()]
    assert found == [("stop", 2)] * SHORT + [("length", 10)] * LONG
    assert_sound(cut)
    assert (cut.run(*keep).code, cut.computed()) == (0, 0)
    # As failures they are no answers, and only they are computed again.
    assert (cut.run("--max-tokens", "10").code, cut.computed()) == (3, 2 * LONG)
    assert cut.report()["cut_answers"] == 0
    assert len(cut.records()) == SHORT
    assert_sound(cut)


def test_an_answer_with_a_form_is_not_kept_when_it_was_cut(quick: QuickJob) -> None:
    for form in (("--choice", "a"), ("--regex", "a+")):
        ended = quick.run("--on-truncated", "keep", *form)
        assert (ended.code, "is for free text" in ended.error) == (2, True)
    assert quick.names() == {"in.csv"}


def test_an_answer_that_repeats_itself_is_not_kept(quick: QuickJob) -> None:
    quick.write("in.csv", "id,text\n1,LOOP\n2,ok\n")
    assert quick.run("--on-truncated", "keep", "--max-tokens", "200").code == 3
    assert [json.dumps(error["error"]["kind"]) for error in quick.errors()] == ['"repetition"']
