"""Answers that repeat themselves: ended, and tried again in another way."""

import pytest

from tests.cli.command import QuickJob


def tokens(job: QuickJob) -> list[int]:
    report = job.report()
    return [report["all_runs"]["output_tokens"], report["all_runs"]["wasted_output_tokens"]]


@pytest.mark.parametrize("flags", [(), ("--repetition", "1000")])
def test_a_loop_is_not_paid_twice(quick: QuickJob, flags: tuple[str, ...]) -> None:
    """A loop that the engine does not end is seen in the answer that was cut."""
    quick.write("in.csv", "text\nLOOP_ONCE a\nLOOP b\nfine\n")
    done = quick.run("--max-tokens", "200", *flags)
    assert done.code == 3
    [error] = [record["error"] for record in quick.errors()]
    assert (error["kind"], error["attempts"]) == ("repetition", 2)
    assert error["message"].startswith("repeats itself, ended after ")
    assert [record["text"] for record in quick.records()] == ["LOOP_ONCE a", "fine"]
    assert tokens(quick)[1] == 3 * (200 if flags else 128)
    assert "change the prompt, or raise repetition_penalty in [sampling]" in done.stderr
    assert quick.computed() == 5
    if flags:
        return
    # What was accepted does not depend on the watch, and is not computed again.
    assert quick.run("-q", "--max-tokens", "200", "--repetition", "50").code == 3
    assert quick.computed() == 0


def test_without_the_watch_a_loop_is_a_cut_answer(quick: QuickJob) -> None:
    quick.write("in.csv", "text\nLOOP b\n")
    assert quick.run("-q", "--max-tokens", "200", "--repetition", "off").code == 3
    [error] = [record["error"] for record in quick.errors()]
    assert error["kind"] == "truncated"
    assert tokens(quick)[1] == 200 + 400


@pytest.mark.parametrize("value", ["1", "0", "of", "2.5", "99999999999"])
def test_what_is_no_number_of_times_is_refused(quick: QuickJob, value: str) -> None:
    quick.write("in.csv", "text\na\n")
    refused = quick.run("--repetition", value)
    assert refused.code == 2
    assert "write a number of times, from 2 on, or off" in refused.error
