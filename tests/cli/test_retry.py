"""Failed requests are tried again: in rounds of the same run, and when their user reopens them."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmbatch.store.opening import open_store
from tests.cli.command import QuickJob

ATTEMPTS = (
    "SELECT attempt, verdict, kind, finish_reason, output_tokens, run FROM attempts"
    " JOIN requests USING (key) WHERE messages LIKE ? ORDER BY attempt"
)


@dataclass(frozen=True)
class Try:
    """One attempt, as the store has it."""

    number: int
    verdict: str
    kind: str | None
    finish_reason: str | None
    tokens: int
    run: int


def tries(job: QuickJob, text: str) -> list[Try]:
    """The attempts of the request whose prompt holds `text`."""
    with open_store(job.state / "job.duckdb", read_only=True) as db:
        return [Try(*fields) for fields in db.execute(ATTEMPTS, [f"%{text}%"])]


def verdicts(job: QuickJob, text: str) -> list[str]:
    return [one.verdict for one in tries(job, text)]


def write(job: QuickJob, *texts: str) -> None:
    job.write("in.csv", "id,text\n" + "".join(f"{n},{text}\n" for n, text in enumerate(texts, 1)))


def assert_sound(job: QuickJob) -> None:
    checked = job.command("check", "out.jsonl")
    assert (checked.code, checked.stderr) == (0, ""), checked.stdout


def test_a_truncated_answer_gets_twice_the_tokens_each_time(quick: QuickJob) -> None:
    write(quick, "LENGTH:30", "good")
    done = quick.run("--max-tokens", "10", "--attempts", "4", "--meta")
    assert done.code == 0
    assert tries(quick, "LENGTH") == [
        Try(1, "retry", "truncated", "length", 10, 1),
        Try(2, "retry", "truncated", "length", 20, 1),
        Try(3, "answered", None, "stop", 30, 1),
    ]
    assert [record["attempts"] for record in quick.records()] == [3, 1]
    assert [record["output_tokens"] for record in quick.records()] == [30, 2]
    assert [record["wasted_output_tokens"] for record in quick.records()] == [10 + 20, 0]
    assert quick.computed() == 4
    # Every try was paid for, and is counted.
    assert quick.report()["last_run"]["output_tokens"] == 10 + 20 + 30 + 2
    assert_sound(quick)


def test_an_answer_that_stays_truncated_is_a_dead_letter(quick: QuickJob) -> None:
    write(quick, "LENGTH:99", "good")
    done = quick.run("--max-tokens", "10", "--attempts", "3")
    assert done.code == 3
    assert [one.tokens for one in tries(quick, "LENGTH")] == [10, 20, 40]
    assert verdicts(quick, "LENGTH") == ["retry", "retry", "dead"]
    (failed,) = quick.errors()
    assert (failed["error"]["kind"], failed["error"]["attempts"]) == ("truncated", 3)
    # The same command does not try it again.
    assert (quick.computed(), quick.run("-q", "--max-tokens", "10").code) == (4, 3)
    assert quick.computed() == 0


def test_an_invalid_answer_is_drawn_again(quick: QuickJob) -> None:
    write(quick, "INVALID_ONCE", "INVALID", "good")
    done = quick.run("--choice", "yes", "--choice", "no")
    assert done.code == 3
    assert verdicts(quick, "INVALID_ONCE") == ["retry", "answered"]
    assert verdicts(quick, '"Say INVALID"') == ["retry", "dead"]
    assert [record["id"] for record in quick.records()] == ["1", "3"]


def test_without_retries_every_request_is_tried_once(quick: QuickJob) -> None:
    write(quick, "INVALID_ONCE", "good")
    assert quick.run("-q", "--choice", "yes", "--attempts", "1").code == 3
    assert verdicts(quick, "INVALID_ONCE") == ["dead"]
    assert quick.computed() == 2


def test_what_no_retry_mends_is_tried_once(quick: QuickJob) -> None:
    write(quick, "FAIL:refused_request", "a b c d e f g h i j", "FAIL:its_own_kind", "good")
    assert quick.run("-q", "--attempts", "5", engine="max_model_len=9").code == 3
    assert quick.computed() == 4
    assert [row["error"]["attempts"] for row in quick.errors()] == [1, 1, 1]


LONG = "a b c d e f g h i j"
SHORT, LONGER = "max_model_len=9", "max_model_len=60"


def test_what_had_no_room_is_tried_again_once_there_is_more(quick: QuickJob) -> None:
    """As the advice says; the longest sequence is not part of a request's key."""
    write(quick, LONG, "LENGTH:20", "good")
    assert quick.run("-q", "--attempts", "5", "--max-tokens", "30", engine=SHORT).code == 3
    assert [row["error"]["kind"] for row in quick.errors()] == ["too_long", "context_full"]
    # More tokens would be cut at the same place, so it is not tried again.
    assert quick.computed() == 3
    usual = ("-q", "--max-tokens", "30")
    assert (quick.run(*usual, engine=SHORT).code, quick.computed()) == (3, 0)
    for engine, settled in ((SHORT, 3), (LONGER, 1)):
        seen = quick.command(
            "plan", *quick.arguments(*usual[1:], "--format", "json", engine=engine)[1:]
        )
        assert json.loads(seen.stdout)["reused_requests"] == settled
    assert (quick.run(*usual, engine=LONGER).code, quick.computed()) == (0, 2)
    assert len(quick.records()) == 3
    assert_sound(quick)
    assert (quick.run(*usual, engine=LONGER).code, quick.computed()) == (0, 0)


def test_an_engine_that_says_only_when_it_is_ready_that_it_has_more_room(quick: QuickJob) -> None:
    write(quick, LONG, f"{LONG} LENGTH:10", "good")
    assert quick.run("-q", engine=SHORT).code == 3
    assert quick.computed() == 3
    # Nothing to do, as far as is known: no engine is started for it.
    assert (quick.run("-q").code, quick.computed()) == (3, 0)
    write(quick, LONG, f"{LONG} LENGTH:10", "good", "another")
    done = quick.run()
    assert (done.code, quick.computed()) == (0, 3)
    assert "tried again, since they were too long: 2 rows" in done.stderr
    assert "4/4 rows (100%)" in done.stderr
    assert_sound(quick)


def test_rows_that_share_a_request_share_its_tries(quick: QuickJob) -> None:
    write(quick, *["LENGTH:15"] * 3, "LENGTH:99", "LENGTH:99", "good")
    assert quick.run("-q", "--max-tokens", "10", "--meta").code == 3
    assert quick.computed() == 2 + 2 + 1
    assert [record["attempts"] for record in quick.records()] == [2, 2, 2, 1]
    assert [row["id"] for row in quick.errors()] == ["4", "5"]
    errors = [row["error"] for row in quick.errors()]
    assert [(one["output_tokens"], one["wasted_output_tokens"]) for one in errors] == [(20, 10)] * 2
    assert len({one["request"] for one in errors}) == 1
    assert {one["run"] for one in [*errors, *quick.records()]} == {1}
    assert_sound(quick)


def test_a_kill_between_the_rounds(quick: QuickJob) -> None:
    write(quick, *[f"LENGTH:1{n}" for n in range(6)], *[f"good {n}" for n in range(6)])
    usual = ("-q", "--max-tokens", "8", "--checkpoint-rows", "3", "--attempts", "3")
    # Twelve in the first round, then it dies in the second.
    assert quick.run(*usual, engine="kill_after=16 window=2 delay=0.02").code == -9
    quick.computed()
    resumed = quick.run(*usual)
    assert resumed.code == 0
    assert 2 <= quick.computed() <= 6
    for n in range(6):
        assert verdicts(quick, f"LENGTH:1{n}") == ["retry", "answered"]
        assert [one.tokens for one in tries(quick, f"LENGTH:1{n}")] == [8, 10 + n]
    assert len(quick.records()) == 12
    assert_sound(quick)


# A row without the column is asked, and its prompt cannot be made.
USUAL = ("-q", "--max-tokens", "10", "--ask-empty")


@pytest.fixture
def failed(quick: QuickJob) -> QuickJob:
    """A finished job with dead letters of three kinds, for one of which no request was made."""
    quick.write(
        "in.jsonl",
        '{"id": 1, "text": "good"}\n{"id": 2, "text": "LENGTH:99"}\n{"id": 3}\n'
        '{"id": 4, "text": "FAIL:refused_request"}\n{"id": 5, "text": "LENGTH:99"}\n',
    )
    quick.input = "in.jsonl"
    assert quick.run(*USUAL).code == 3
    assert [row["error"]["kind"] for row in quick.errors()] == [
        "truncated", "template", "refused_request", "truncated"
    ]  # fmt: skip
    assert quick.computed() == 4
    return quick


def test_all_dead_letters_are_reopened_and_the_next_run_computes_these(failed: QuickJob) -> None:
    reopened = failed.command("retry", "out.jsonl")
    assert reopened.code == 0
    # A template failure is not of the engine's making: the row or the prompt must change.
    assert reopened.stderr == "llmbatch: 3 rows reopened; run the job again to try them\n"
    assert_sound(failed)
    before = (tries(failed, "LENGTH"), tries(failed, "FAIL"))
    again = failed.run(*USUAL)
    assert (again.code, failed.computed()) == (3, 2 + 1)
    # The old ones stay; the new ones go on with more tokens.
    now = tries(failed, "LENGTH")
    assert now[:2] == before[0]
    assert [(one.number, one.verdict, one.tokens, one.run) for one in now[2:]] == [
        (3, "retry", 40, 2),
        (4, "dead", 80, 2),
    ]
    assert verdicts(failed, "FAIL") == ["dead", "dead"]
    assert_sound(failed)
    # And the command once more does nothing, until they are reopened again.
    assert (failed.run(*USUAL).code, failed.computed()) == (3, 0)
    assert "3 rows reopened" in failed.command("retry", "out.jsonl").stderr
    assert failed.run(*USUAL).code == 3
    assert [one.tokens for one in tries(failed, "LENGTH")] == [10, 20, 40, 80, 99]
    assert [record["id"] for record in failed.records()] == [1, 2, 5]
    assert_sound(failed)


def test_one_kind_is_reopened(failed: QuickJob) -> None:
    chosen = failed.command("retry", "out.llmbatch", "--kind", "refused_request")
    assert "1 row reopened" in chosen.stderr
    assert "0 rows reopened" in failed.command("retry", "out.jsonl", "--kind", "timeout").stderr
    # Reopening what is open already does nothing.
    assert failed.command("retry", "out.jsonl", "--kind", "refused_request").stderr == (
        "llmbatch: 0 rows reopened\n"
    )
    assert failed.run(*USUAL).code == 3
    assert failed.computed() == 1
    assert verdicts(failed, "LENGTH") == ["retry", "dead"]
    assert_sound(failed)


def test_what_cannot_be_reopened_is_said(failed: QuickJob) -> None:
    template = failed.command("retry", "out.jsonl", "--kind", "template")
    assert (template.code, template.stderr) == (0, "llmbatch: 0 rows reopened\n")
    unknown = failed.command("retry", "out.jsonl", "--kind", "truncate")
    assert unknown.code == 2
    assert "(did you mean 'truncated'?)" in unknown.error
    assert "refused_request, template, truncated" in unknown.error
    nothing = failed.command("retry", "nowhere.jsonl")
    assert (nothing.code, "no job found" in nothing.error) == (2, True)


def test_dead_letters_are_not_reopened_while_a_run_holds_the_job(failed: QuickJob) -> None:
    failed.write("in.jsonl", "".join(f'{{"id": {n}, "text": "t{n}"}}\n' for n in range(99)))
    (failed.state / "status.json").unlink()
    with failed.start("--checkpoint-seconds", "0.1", engine="delay=0.1") as running:
        running.until_answered(1)
        refused = failed.command("retry", "out.jsonl")
        assert refused.code == 75
        assert f"pid {running.process.pid} on" in refused.error


def test_the_error_file_mended_runs_as_input(failed: QuickJob) -> None:
    mended = [json.dumps(row | {"text": "good now"}) for row in failed.errors()]
    failed.write("mended.jsonl", "\n".join(mended))
    failed.input = "mended.jsonl"
    done = failed.run("-o", "mended_out.jsonl")
    assert done.code == 0
    assert [record["id"] for record in failed.records("mended_out.jsonl")] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("tolerance", "code"), [("2", 0), ("1", 3), ("40%", 0), ("39.9%", 3), ("0", 3)]
)
def test_so_many_failed_rows_are_a_success(quick: QuickJob, tolerance: str, code: int) -> None:
    quick.write("in.csv", "id,text\n1,FAIL\n2,good\n3,short,row\n4,good\n5,good too\n")
    done = quick.run("--max-failed", tolerance)
    assert done.code == code
    assert len(quick.errors()) == 2
    assert len(quick.records()) == 3
    if code == 0:
        assert "2 rows not answered" in done.stderr.splitlines()[-1]
        assert "out.errors.jsonl" in done.stderr.splitlines()[-1]


def test_a_run_that_answered_nothing_is_no_success(quick: QuickJob) -> None:
    write(quick, "FAIL", "FAIL more")
    assert quick.run("-q", "--max-failed", "100%").code == 3
    assert len(quick.errors()) == 2


def test_an_empty_input_is_a_success(quick: QuickJob, tmp_path: Path) -> None:
    write(quick)
    assert quick.run("-q", "--max-failed", "0").code == 0
    assert (tmp_path / "out.jsonl").read_bytes() == b""
