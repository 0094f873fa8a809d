"""Accepted answers are exported as lines to train another model with."""

import json
from collections import Counter
from typing import Any

import pytest

from llmbatch.store import flags
from llmbatch.store.flags import Flag
from llmbatch.store.opening import open_store
from tests.cli.command import Finished, QuickJob

CHOICES = ("--choice", "red", "--choice", "blue")


def pairs(job: QuickJob, form: str, *more: str) -> Finished:
    return job.command("export", "out.jsonl", "-o", "pairs.jsonl", "--format", form, *more)


def written(job: QuickJob) -> list[dict[str, Any]]:
    return job.records("pairs.jsonl")


def test_each_accepted_answer_is_a_chat_once(job: QuickJob) -> None:
    job.write("in.csv", "id,text\n1,b\n2,FAIL:too_long\n3,ä\n4,b\n")
    assert job.run("--system", "Be brief", "--prefill", "Well").code == 3
    answers = {record["text"]: record["response"] for record in job.records()}
    done = pairs(job, "sft")
    assert (done.code, done.stderr) == (0, "llmbatch: 2 lines written to pairs.jsonl\n")
    assert written(job) == [
        {
            "messages": [
                {"role": "system", "content": "Be brief"},
                {"role": "user", "content": f"Say {text}"},
                {"role": "assistant", "content": answers[text]},
            ]
        }
        for text in ("b", "ä")
    ]
    assert "ä" in (job.folder / "pairs.jsonl").read_text()


def test_a_prompt_that_is_no_chat_is_one_of_text(job: QuickJob) -> None:
    assert job.run("--raw").code == 0
    assert pairs(job, "sft").code == 0
    (first, *_), (record, *_) = written(job), job.records()
    assert first == {"prompt": f"Say {record['text']}", "completion": record["response"]}


def test_refused_answers_stand_beside_the_accepted_one(job: QuickJob) -> None:
    job.write("in.csv", "id,text\n1,INVALID_ONCE\n2,good\n3,INVALID\n")
    assert job.run(*CHOICES).code == 3
    done = pairs(job, "dpo")
    assert "1 line written to pairs.jsonl; left out: 1 without a refused answer" in done.stderr
    (pair,) = written(job)
    assert pair["prompt"] == [{"role": "user", "content": "Say INVALID_ONCE"}]
    assert pair["chosen"] == [{"role": "assistant", "content": job.records()[0]["response"]}]
    assert pair["rejected"] == [{"role": "assistant", "content": "not a valid answer"}]


def test_samples_that_lose_the_vote_are_refused_answers(job: QuickJob) -> None:
    args = ("--samples", "5", "--vote", "--meta", "--temperature", "1", "--seed", "3")
    assert job.run(*args, *CHOICES).code == 0
    records = job.records()
    assert pairs(job, "sft", "--min-confidence", "1").code == 0
    assert len(written(job)) == sum(record["agreement"] == 1 for record in records)
    assert pairs(job, "dpo").code == 0
    found = {pair["prompt"][0]["content"]: pair for pair in written(job)}
    split = [record for record in records if record["agreement"] < 1]
    assert split
    assert len(found) == len(split)
    for record in split:
        pair = found[f"Say {record['text']}"]
        assert pair["chosen"] == [{"role": "assistant", "content": record["response"]}]
        (rejected,) = pair["rejected"]
        assert {record["response"], rejected["content"]} == {"red", "blue"}


def test_samples_without_a_vote_are_all_accepted(job: QuickJob) -> None:
    assert job.run("--samples", "3", "--temperature", "1", "--seed", "3").code == 0
    assert pairs(job, "sft").code == 0
    told = Counter(chat["messages"][-1]["content"] for chat in written(job))
    answers = [answer for record in job.records() for answer in record["response"]]
    assert told == Counter(answers)
    assert [chat["messages"][-1]["content"] for chat in written(job)] == answers


def test_labels_are_chosen_by_their_confidence(job: QuickJob) -> None:
    args = ("--task", "classify", "--label", "red", "--label", "blue")
    assert job.run(*args).code == 0
    records = job.records()
    least = sorted(record["confidence"] for record in records)[1]
    done = pairs(job, "sft", "--min-confidence", str(least))
    assert (
        f"2 lines written to pairs.jsonl; left out: 1 below a confidence of {least}" in done.stderr
    )
    assert [chat["messages"][-1] for chat in written(job)] == [
        {"role": "assistant", "content": record["response"]}
        for record in records
        if record["confidence"] >= least
    ]


def test_flagged_rows_are_left_out_and_told(job: QuickJob) -> None:
    assert job.run().code == 0
    with open_store(job.state / "job.duckdb") as db:
        flags.replace(db, "sign", [[Flag(2, "sign", "echo")]])
    done = pairs(job, "sft")
    assert "2 lines written to pairs.jsonl; left out: 1 with a flag (--with-flagged)" in done.stderr
    texts = [record["text"] for record in job.records()]
    assert [chat["messages"][0]["content"] for chat in written(job)] == [
        f"Say {texts[0]}",
        f"Say {texts[2]}",
    ]
    assert "3 lines written" in pairs(job, "sft", "--with-flagged").stderr


def test_only_a_file_of_such_lines_is_replaced(job: QuickJob) -> None:
    assert job.run().code == 0
    job.write("pairs.jsonl", '{"mine": 1}\n')
    refused = pairs(job, "sft")
    assert refused.code == 2
    assert "exists and was not written by llmbatch" in refused.error
    assert written(job) == [{"mine": 1}]
    for form, more in (("sft", ["--overwrite"]), ("dpo", []), ("sft", [])):
        assert pairs(job, form, *more).code == 0
    to_screen = job.command("export", "out.jsonl", "-o", "-", "--format", "sft")
    assert [json.loads(line) for line in to_screen.stdout.splitlines()] == written(job)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--meta", "--columns", "id"], "--format sft writes whole chats: leave --columns, --meta"),
        (["--failed"], "leave --failed or --skipped out"),
        (["--min-confidence", "0.5"], "--min-confidence: the answers have none"),
    ],
)
def test_what_says_nothing_of_chats_is_refused(
    job: QuickJob, arguments: list[str], message: str
) -> None:
    assert job.run().code == 0
    refused = pairs(job, "sft", *arguments)
    assert refused.code == 2
    assert message in refused.error
    assert not (job.folder / "pairs.jsonl").exists()


def test_vectors_are_nothing_to_train_on(job: QuickJob) -> None:
    assert job.run("--task", "embed", "-o", "out.jsonl").code == 0
    assert "--task embed has no answers to train on" in pairs(job, "sft").error
    assert job.command("export", "out.jsonl", "-o", "v.jsonl", "--with-flagged").error.endswith(
        "go with --format sft or dpo"
    )
