"""Retries that are told what was wrong: `--feedback`, through runs, kills and prompts too long."""

import json

from llmbatch.store.opening import open_store
from tests.cli.command import Finished, QuickJob
from tests.cli.test_retry import assert_sound, tries, verdicts, write

CHOICES = ("-q", "--choice", "yes", "--choice", "no", "--meta")
FEEDBACK = (*CHOICES, "--feedback")


def attempts(job: QuickJob, text: str) -> list[tuple[str, bool, str | None]]:
    """Verdict, whether it was told, and message of each try of the request that holds `text`."""
    with open_store(job.state / "job.duckdb", read_only=True) as db:
        found = db.execute(
            "SELECT verdict, told, message FROM attempts JOIN requests USING (key)"
            " WHERE messages LIKE ? ORDER BY attempt",
            [f"%{text}%"],
        )
    return [(verdict, told, message) for verdict, told, message in found]


def test_an_answer_that_is_told_what_is_wrong_with_it_is_mended(quick: QuickJob) -> None:
    write(quick, "INVALID_UNTOLD one", "good", "INVALID two")
    plain = quick.run(*CHOICES)
    assert (plain.code, len(quick.errors())) == (3, 2)
    assert quick.command("retry", "out.jsonl").code == 0
    # Their newest failed answers are those of the run before, and the store has them.
    assert quick.run(*FEEDBACK).code == 3
    assert [record["attempts"] for record in quick.records()] == [3, 1]
    assert [row["text"] for row in quick.errors()] == ["INVALID two"]
    assert [told for _, told, _ in attempts(quick, "INVALID two")] == [False, False, True, True]
    usage = quick.report()["all_runs"]
    assert (usage["retries_with_feedback"], usage["answered_with_feedback"]) == (3, 1)
    shown = quick.command("report", "out.jsonl").stdout
    assert "with feedback: 3, of which 1 was answered" in shown
    assert_sound(quick)


def test_a_killed_run_goes_on_with_the_same_feedback(quick: QuickJob) -> None:
    texts = [f"INVALID_UNTOLD {n} {mark}" for n in range(6) for mark in ("a", "b")]
    write(quick, *texts, *[f"good {n}" for n in range(6)])
    # The answer shows the chat that it was given.
    usual = ("-q", "--regex", "answer .*", "--constrain", "check", "--feedback", "--meta")
    assert quick.run(*usual).code == 0
    whole = [(one["response"], one["attempts"]) for one in quick.records()]
    assert len({response for response, _ in whole}) == len(whole)
    quick.command("check", "out.jsonl")
    for name in ("out.jsonl", "out.llmbatch"):
        (quick.folder / name).rename(quick.folder / f"whole.{name}")
    quick.computed()
    killed = ("--checkpoint-rows", "4")
    assert quick.run(*usual, *killed, engine="kill_after=25 window=2 delay=0.01").code == -9
    done = quick.run(*usual)
    assert done.code == 0
    assert [(one["response"], one["attempts"]) for one in quick.records()] == whole
    assert_sound(quick)


def test_a_prompt_that_is_too_long_with_it_is_sent_without(quick: QuickJob) -> None:
    long = " ".join(["long"] * 30)
    write(quick, f"INVALID_ONCE {long}", f"INVALID {long}", "INVALID_UNTOLD")
    done: Finished = quick.run(*FEEDBACK, engine="max_model_len=40")
    assert done.code == 3
    # Refused without cost, it is none of the two tries that the row has.
    (first, second, third) = attempts(quick, "INVALID_ONCE")
    assert [first[:2], second[:2], third[:2]] == [
        ("retry", False), ("retry", True), ("answered", False)
    ]  # fmt: skip
    assert second[2] is not None
    assert second[2].startswith("with feedback: prompt has ")
    assert second[2].endswith("; tried again without")
    assert [one.tokens for one in tries(quick, "INVALID_ONCE")][1] == 0
    assert verdicts(quick, "INVALID long") == ["retry", "retry", "dead"]
    assert verdicts(quick, "INVALID_UNTOLD") == ["retry", "answered"]
    (error,) = (row["error"] for row in quick.errors())
    assert error["kind"] == "invalid_output"
    # A reopened one is told again, since the context may be longer by now.
    quick.command("retry", "out.jsonl")
    assert quick.run(*FEEDBACK, engine="max_model_len=90").code == 3
    assert [told for _, told, _ in attempts(quick, "INVALID long")][3:] == [True, True]
    assert_sound(quick)


def test_lines_of_a_batch_file_are_told_too(quick: QuickJob) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    lines = []
    for number, text in enumerate(["INVALID_UNTOLD", "INVALID"]):
        body = {"model": "m", "messages": [{"role": "user", "content": text}]}
        line = {"custom_id": str(number), "method": "POST", "url": "/v1/chat/completions"}
        lines.append(json.dumps(line | {"body": body | {"response_format": schema}}))
    quick.write("in.jsonl", "\n".join(lines))
    usual = ("run", "in.jsonl", "-o", "out.jsonl", "-m", "m", "--feedback")
    done = quick.command(*usual, "--engine", "tests.scripted_engine:create")
    assert done.code == 3
    assert [one["custom_id"] for one in quick.records()] == ["0"]
    assert [told for _, told, _ in attempts(quick, "INVALID_UNTOLD")] == [False, True]


def test_the_plan_says_what_it_does_not_know_of_retries(quick: QuickJob) -> None:
    planned = quick.command("plan", *quick.arguments(*FEEDBACK[1:])[1:])
    assert planned.code == 0
    assert "the prompt of a retry also has the failed answer" in " ".join(planned.stdout.split())


def test_an_answer_that_broke_a_rule_is_told_the_rule(quick: QuickJob) -> None:
    write(quick, "INVALID_UNTOLD", "INVALID")
    rule = "no excuse: response NOT LIKE 'not a valid%'"
    done = quick.run("-q", "--check", rule, "--feedback", "--feedback-text", "Wrong: {{ reason }}")
    assert done.code == 3
    assert [told for _, told, _ in attempts(quick, "INVALID_UNTOLD")] == [False, True]
    (error,) = (row["error"] for row in quick.errors())
    assert error["kind"] == "check_failed"
    assert error["message"].startswith("no excuse")
