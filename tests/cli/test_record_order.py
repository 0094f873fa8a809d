"""The order of `{{ record }}` and what becomes of equal rows, as a user meets them."""

import json

import pytest

from tests.cli.command import Job, QuickJob

TABLE = "id,text,kind,shop\n" + "".join(
    f"{n},text {n},the same kind for all,shop {n % 3}\n" for n in range(9)
)
RECORD = ("-p", "{{ record }}")


def prompts(job: Job) -> list[str]:
    """The prompts that the engine got, by row: `answer=echo` gives them back."""
    return [record["response"] for record in job.records()]


def run(job: Job, *more: str, code: int = 0) -> int:
    """Run the job; returns how many requests were computed."""
    assert job.run("-q", *RECORD, *more, engine="answer=echo").code == code
    return job.computed()


@pytest.fixture
def table(quick: QuickJob) -> QuickJob:
    quick.write("in.csv", TABLE)
    return quick


def test_what_rows_share_comes_first_in_the_prompt_only(table: QuickJob) -> None:
    assert run(table) == 9
    assert prompts(table)[4] == (
        '{"kind":"the same kind for all","shop":"shop 1","id":"4","text":"text 4"}'
    )
    given = [line.split(",") for line in TABLE.splitlines()]
    for record, row in zip(table.records(), given[1:], strict=True):
        assert list(record) == [*given[0], "response"]
        assert list(record.values())[:-1] == row
    assert table.command("check", "out.jsonl").code == 0


@pytest.mark.parametrize(
    ("order", "begins"),
    [("input", '{"id":"4","text"'), ("shop,text", '{"shop":"shop 1","text":"text 4","id"')],
)
def test_the_order_can_be_given(table: QuickJob, order: str, begins: str) -> None:
    assert run(table, "--record-order", order) == 9
    assert prompts(table)[4].startswith(begins)
    # From now on this is the job's order.
    assert run(table) == 0
    assert run(table, "--record-order", "auto") == 0


def test_a_job_keeps_its_order(table: QuickJob) -> None:
    assert run(table) == 9
    # This table would have another order, and has a new column; the old rows are not computed.
    more = [line + f",n{n}" for n, line in enumerate(TABLE.splitlines()[1:])]
    table.write("in.csv", TABLE + "".join(f"9,all equal,kind {n},shop {n}\n" for n in range(9)))
    assert run(table) == 9
    table.write("in.csv", "\n".join(["id,text,kind,shop,new", *more]))
    assert run(table) == 9
    assert prompts(table)[0].endswith('"id":"0","text":"text 0","new":"n0"}')
    assert table.command("check", "out.jsonl").code == 0


def test_a_fresh_run_chooses_anew(table: QuickJob) -> None:
    assert run(table) == 9
    table.write("in.csv", "id,text,kind,shop\n" + "".join(f"{n},t,k{n},s\n" for n in range(4)))
    assert run(table) == 4
    assert prompts(table)[0].startswith('{"kind":"k0","shop":"s","id"')
    assert run(table, "--fresh") == 4
    assert prompts(table)[0].startswith('{"text":"t","shop":"s","id"')
    # The fresh order is the job's from now on.
    assert run(table) == 0


def test_an_order_outlives_the_store(table: QuickJob) -> None:
    assert run(table) == 9
    (table.state / "job.duckdb").unlink()
    table.write("in.csv", TABLE + "".join(f"9,all equal,kind {n},shop {n}\n" for n in range(9)))
    assert run(table) == 9


def test_the_plan_is_that_of_the_jobs_order(table: QuickJob) -> None:
    usual = table.arguments(*RECORD)
    planned = table.command("plan", *usual[1:])
    assert '{"kind":"the same kind for all","shop":"shop 0"' in planned.stdout
    assert run(table, "--record-order", "text") == 9
    planned = table.command("plan", *usual[1:])
    assert '{"text":"text 0","id":"0"' in planned.stdout


def test_an_unknown_column_is_named(table: QuickJob) -> None:
    refused = table.run(*RECORD, "--record-order", "kind,shp")
    assert refused.code == 2
    assert refused.error == (
        "record_order: no column 'shp' in in.csv (did you mean 'shop'?); "
        "columns: id, text, kind, shop"
    )
    for order in ("", "id,,shop", "id,id"):
        refused = table.run(*RECORD, "--record-order", order)
        assert (refused.code, refused.error[:15]) == (2, "--record-order:")


def test_a_job_file_takes_a_list(table: QuickJob) -> None:
    table.write("in.csv", 'id,"a,b"\n1,x\n')
    table.write(
        "job.toml",
        'input = "in.csv"\noutput = "out.jsonl"\nmodel = "m"\nprompt = "{{ record }}"\n'
        'record_order = ["a,b"]\n[engine]\nname = "tests.scripted_engine:create"\n'
        'answer = "echo"\n',
    )
    assert table.command("run", "--trust-job-file", "job.toml", "-q").code == 0
    assert prompts(table) == ['{"a,b":"x","id":"1"}']


SAME = "id,text\n" + "".join(f"{n},same\n" for n in range(5))


@pytest.mark.parametrize(
    ("flags", "computed"),
    [
        ((), 1),
        (("--duplicates", "auto"), 1),
        (("--duplicates", "once"), 1),
        (("--duplicates", "each"), 5),
        (("--temperature", "0.7"), 5),
        (("--temperature", "0.7", "--duplicates", "each"), 5),
        (("--temperature", "0.7", "--duplicates", "once"), 1),
    ],
)
def test_equal_rows_are_computed_once_or_each(
    quick: QuickJob, flags: tuple[str, ...], computed: int
) -> None:
    quick.write("in.csv", SAME)
    assert quick.run("-q", *flags).code == 0
    assert quick.computed() == computed
    assert len(quick.records()) == 5
    assert quick.command("check", "out.jsonl").code == 0


def test_a_change_of_mind_keeps_what_is_answered(quick: QuickJob) -> None:
    quick.write("in.csv", SAME)
    assert (quick.run("-q").code, quick.computed()) == (0, 1)
    assert (quick.run("-q", "--duplicates", "each").code, quick.computed()) == (0, 4)
    assert (quick.run("-q").code, quick.computed()) == (0, 0)
    assert (quick.run("-q", "--duplicates", "each").code, quick.computed()) == (0, 0)
    for choice, requests in (("once", 1), ("each", 5)):
        arguments = quick.arguments("--duplicates", choice, "--format", "json")
        planned = json.loads(quick.command("plan", *arguments[1:]).stdout)
        assert (planned["requests"], planned["reused_requests"]) == (requests, requests)


def test_keys_in_another_order_are_the_same_record(quick: QuickJob) -> None:
    rows = [{"n": 5, "kind": "a"}, {"kind": "a", "n": 5}, {"kind": "b", "n": 6}]
    quick.write("in.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    quick.input = "in.jsonl"
    assert run(quick) == 2
    assert prompts(quick)[0] == prompts(quick)[1] == '{"n":5,"kind":"a"}'


def test_a_column_named_record_is_that_column_in_every_row(quick: QuickJob) -> None:
    quick.write("in.jsonl", '{"id":1,"record":"vinyl"}\n{"id":2,"text":"t"}\n')
    quick.input = "in.jsonl"
    assert run(quick, "--ask-empty", code=3) == 1
    assert prompts(quick) == ["vinyl"]
    (failed,) = quick.records("out.errors.jsonl")
    assert failed["error"]["kind"] == "template"


def test_equal_rows_that_are_drawn_with_one_seed_have_one_answer(quick: QuickJob) -> None:
    quick.write("in.csv", "id,text\n1,a\n2,a\n3,b\n")
    drawn = ("--temperature", "1", "-p", "{{ text }}")
    assert quick.run("-q", *drawn, "--seed", "5").code == 0
    assert quick.computed() == 2
    assert quick.run("-q", *drawn, "--fresh").code == 0
    assert quick.computed() == 3
