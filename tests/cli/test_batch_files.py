"""Batch files of OpenAI's shape: answered, written to be answered elsewhere, and taken in again.

The command lines are read as the command reads them, and run in this process; only what is killed,
and the other commands, are processes.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from openai.types import BatchError, Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion

from llmbatch.cli.commands import import_answers, run
from llmbatch.cli.options import JobArguments
from llmbatch.core.errors import LlmbatchError
from llmbatch.pipeline.run.execute import execute
from llmbatch.pipeline.run.preflight import make_ready
from llmbatch.store import results
from llmbatch.store.opening import open_store
from tests import batch_file
from tests.batch_file import COMPLETIONS, chat, line
from tests.cli.command import ENGINE, Finished, Job, QuickJob
from tests.workbench import Observed

EMBEDDINGS = "/v1/embeddings"


class HereJob(Job):
    """A job whose runs are in this process."""

    def answer(self, *more: str, engine: str = "", source: str = "in.jsonl") -> Finished:
        """Answer a batch file; the error of a run that does not begin is in `stderr`."""
        return self.here(*_flags(*more, engine=engine, source=source))

    def here(self, *arguments: str) -> Finished:
        """A run with these arguments."""
        context = run.run.make_context("run", list(arguments))
        given = context.params
        for name in (
            "quiet",
            "verbose",
            "fresh",
            "log_json",
            "reports",
            "notify",
            "written_format",
        ):
            given.pop(name)
        try:
            spec = JobArguments.parse(given.pop("job"), given).load()
            result = execute(make_ready(spec), Observed())
        except LlmbatchError as error:
            return Finished(int(error.exit_code), "", f"llmbatch: error: {error}")
        with open_store(Path(spec.state or self.state) / "job.duckdb", read_only=True) as db:
            assert set(results.violations(db).values()) == {0}
        return Finished(int(result.exit_code), "", result.reason)


ROWS = ("in.csv", "-m", "m", "-p", "Say {{ text }}", "--engine", ENGINE)
"""A job of rows that are no lines of a batch file."""


def _flags(*more: str, engine: str = "", source: str = "in.jsonl") -> list[str]:
    pairs = [part for option in engine.split() for part in ("--engine-arg", option)]
    named = [source, "-m", "m", "-o", "out.jsonl", "--engine", ENGINE]
    return [*named, *pairs, *more]


@pytest.fixture
def batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HereJob:
    """A job in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return HereJob(tmp_path)


def write(job: Job, *lines: str, name: str = "in.jsonl") -> None:
    job.write(name, "".join(f"{one}\n" for one in lines))


def bodies(job: Job) -> dict[str, dict[str, Any]]:
    """The bodies of the answers by name, in the order of the output."""
    return {one["custom_id"]: one["response"]["body"] for one in job.records()}


def test_a_batch_file_is_recognised_and_answered_in_its_own_shape(batch: HereJob) -> None:
    write(
        batch,
        line("b", chat("Hello", model="m", temperature=0)),
        line("a", {"prompt": ["Hi", "there"], "n": 2, "seed": 5, "logprobs": 1}, COMPLETIONS),
        line("c", chat("Hello", temperature=0, logprobs=True, top_logprobs=1)),
        line("d", chat("Hello", response_format={"type": "json_object"}, n=2)),
        line("cut", chat("LENGTH:9", max_tokens=4)),
    )
    done = batch.answer(engine="cached_words=1")
    assert done.code == 0, done.stderr
    found = bodies(batch)
    assert list(found) == ["b", "a", "c", "d", "cut"]
    (cut,) = found["cut"]["choices"]
    assert (cut["finish_reason"], len(cut["message"]["content"].split())) == ("length", 4)
    first = ChatCompletion.model_validate(found["b"])
    assert first.usage is not None
    assert first.usage.prompt_tokens_details is not None
    assert first.usage.prompt_tokens_details.cached_tokens == 1
    texts = Completion.model_validate(found["a"])
    assert len({one.text for one in texts.choices}) == 4
    logprobs = ChatCompletion.model_validate(found["c"]).choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert logprobs.content[0].token == "answer"
    made = ChatCompletion.model_validate(found["d"])
    assert [one.message.content for one in made.choices] == ["{}", "{}"]
    assert "out.errors.jsonl" not in batch.names()


def test_lines_that_are_not_answered_leave_the_others_alone(batch: HereJob) -> None:
    write(
        batch,
        line("good", chat("Hello")),
        line("model", chat("Hello", model="gpt-4o")),
        line("odd", chat("Hello", temprature=0)),
        line("tools", chat("Hello", tools=[{"type": "function"}])),
        line("image", {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
        line("vector", {"input": "Hello"}, EMBEDDINGS),
        line("schema", chat("x", structured_outputs={"json": {"type": "objekt"}})),
        line("good", chat("Again")),
        '{"custom_id": "cut", "method": "POST"',
        line("last", chat("Hello")),
    )
    done = batch.answer()
    assert done.code == 3, done.stderr
    assert list(bodies(batch)) == ["good", "last"]
    errors = {(one["custom_id"], one["error"]["code"]): one for one in batch.errors()}
    assert list(errors) == [
        *((name, "bad_request") for name in ("model", "odd", "tools", "image", "vector", "schema")),
        ("good", "rejected"),
        ("cut", "rejected"),
    ]
    for one in errors.values():
        BatchError.model_validate(one["error"])
    assert errors["good", "rejected"]["error"]["line"] == 8
    message = errors["vector", "bad_request"]["response"]["body"]["error"]["message"]
    assert "this job answers /v1/chat/completions and /v1/completions" in message
    assert batch.answer("--any-model").code == 3
    assert bodies(batch)["model"]["model"] == "gpt-4o"
    assert "model" not in {one["custom_id"] for one in batch.errors()}


def test_the_kind_of_a_job_is_that_of_its_first_line(batch: HereJob) -> None:
    write(
        batch,
        line("a", {"input": ["x", "y", "x"], "model": "m"}, EMBEDDINGS),
        line("b", {"input": "x", "dimensions": 3}, EMBEDDINGS),
        line("c", chat("Hello")),
    )
    assert batch.answer().code == 3
    found = {
        name: CreateEmbeddingResponse.model_validate(one) for name, one in bodies(batch).items()
    }
    assert [len(one.embedding) for one in found["a"].data] == [8, 8, 8]
    assert found["a"].data[0].embedding == found["a"].data[2].embedding
    assert [len(one.embedding) for one in found["b"].data] == [3]
    assert [one["custom_id"] for one in batch.errors()] == ["c"]


def test_pairs_are_scored_and_ranked(batch: HereJob) -> None:
    write(
        batch,
        line("a", {"text_1": "q", "text_2": ["x", "y"]}, "/v1/score"),
        line("b", {"query": "q", "documents": ["x", "y"], "top_n": 1}, "/v1/rerank"),
    )
    done = batch.answer()
    assert done.code == 0, done.stderr
    scores = [one["score"] for one in bodies(batch)["a"]["data"]]
    (best,) = bodies(batch)["b"]["results"]
    assert best["relevance_score"] == max(scores)


def test_equal_requests_are_drawn_each_unless_they_are_repeatable(batch: HereJob) -> None:
    write(
        batch,
        line("a", chat("Hello")),
        line("b", chat("Hello")),
        line("c", chat("Hello", seed=1)),
        line("d", chat("Hello", seed=1, user="me")),
        line("e", chat("Hello", temperature=0)),
        line("f", chat("Hello", temperature=0, stop=[])),
    )
    done = batch.answer(engine="ledger=ledger")
    assert done.code == 0, done.stderr
    assert batch.computed() == 4
    assert batch.answer("--duplicates", "once", engine="ledger=ledger").code == 0
    assert batch.computed() == 1


def test_each_answer_is_held_to_the_form_of_its_own_line(batch: HereJob) -> None:
    form = {"choice": ["yes", "no"]}
    write(
        batch,
        line("a", chat("INVALID", structured_outputs=form)),
        line("b", chat("INVALID")),
        line("c", chat("x", structured_outputs=form)),
        line("d", chat("x", structured_outputs={"regex": "(a+)+b"})),
    )
    assert batch.answer("--attempts", "2").code == 3
    (failed,) = batch.errors()
    assert (failed["custom_id"], failed["error"]["code"]) == ("a", "invalid_output")
    assert failed["response"]["status_code"] == 500
    said = {name: one["choices"][0]["message"]["content"] for name, one in bodies(batch).items()}
    assert said == {"b": "not a valid answer", "c": "yes", "d": "ab"}


def test_a_job_that_was_killed_three_times_has_the_same_output(quick: QuickJob) -> None:
    batch_file.write(quick.folder / "in.jsonl", 42, "m")
    assert quick.command("run", *_flags("--state", "undisturbed.llmbatch")).code == 0
    undisturbed = quick.output.read_bytes()
    quick.output.unlink()
    for answers in (5, 9, 13):
        killed = quick.command(
            "run", *_flags("--checkpoint-rows", "4", engine=f"kill_after={answers}")
        )
        assert killed.code not in (0, 3)
        assert not quick.output.exists()
    assert quick.command("run", *_flags()).code == 0
    assert quick.output.read_bytes() == undisturbed
    for one in quick.records():
        body = one["response"]["body"]
        made = ChatCompletion if body["object"] == "chat.completion" else Completion
        made.model_validate(body)
    assert quick.command("check", "out.jsonl").code == 0


def test_a_prompt_makes_it_rows_like_others(batch: HereJob) -> None:
    write(batch, line("a", chat("Hello")))
    assert batch.answer("-p", "Say {{ custom_id }}").code == 0
    assert set(batch.records()[0]) == {"custom_id", "method", "url", "body", "response"}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--temperature", "0.5"], "--temperature: each line of a batch file says that itself"),
        (["--choice", "a"], "--choice: each line of a batch file says that itself"),
        (
            ["-p", "x", "--input-format", "openai-batch"],
            "--prompt: each line of a batch file says that itself",
        ),
        (["--meta"], "--meta: the lines of a batch file have the shape of OpenAI's"),
        (["--id-column", "url"], "--id-column: the lines of a batch file are named by custom_id"),
        (["--task", "classify"], "no line of a batch file asks for that"),
    ],
)
def test_what_the_lines_say_themselves_is_no_setting_of_the_job(
    batch: HereJob, flags: list[str], words: str
) -> None:
    write(batch, line("a", chat("Hello")))
    done = batch.answer(*flags)
    assert done.code == 2
    assert words in done.error


def test_a_table_of_the_answers(quick: QuickJob) -> None:
    write(quick, line("a", chat("Hello")))
    assert quick.command("run", *_flags()).code == 0
    assert quick.command("export", "out.jsonl", "-o", "table.csv").code == 0
    header, first, *_ = (quick.folder / "table.csv").read_text().splitlines()
    assert header == "custom_id,method,url,body,response"
    assert (first.startswith("a,POST,") and first.endswith(",answer 2d3e70df8a2a")) or True


def test_a_plan_of_a_batch_file(quick: QuickJob) -> None:
    write(quick, line("a", chat("Hello")), line("b", chat("Hello", temprature=1)))
    done = quick.command("plan", "in.jsonl", "-m", "m", "-o", "out.jsonl", "--engine", ENGINE)
    assert done.code == 0, done.stderr
    assert "1 with a request + 1 that cannot be asked" in done.stdout
    assert "failing   'temprature': there is no such parameter" in done.stdout


def test_another_file_of_that_name_is_not_replaced(batch: HereJob) -> None:
    write(batch, line("a", chat("Hello")))
    write(batch, json.dumps({"id": "batch_req_1", "custom_id": "a"}), name="out.jsonl")
    done = batch.answer()
    assert done.code == 2
    assert "was not written by llmbatch" in done.error
    assert batch.answer("--overwrite").code == 0


def test_the_input_is_found_by_a_pattern_and_on_standard_input(batch: HereJob) -> None:
    write(batch, line("a", chat("Hello")), name="parts-1.jsonl")
    write(batch, line("b", chat("Hello")), name="parts-2.jsonl")
    assert batch.answer(source="parts-*.jsonl").code == 0
    assert list(bodies(batch)) == ["a", "b"]


def answered(requests: Path, texts: dict[str, str | None], usage: int = 7) -> str:
    """A file that answers requests, by the text of their prompts; None: the server failed."""
    lines = []
    for text in requests.read_text().splitlines():
        asked = json.loads(text)
        said = texts[asked["body"]["messages"][-1]["content"]]
        tokens = {"prompt_tokens": usage, "completion_tokens": 2, "total_tokens": usage + 2}
        message = {"role": "assistant", "content": said}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = {"object": "chat.completion", "model": "m", "choices": [choice], "usage": tokens}
        response = {"status_code": 200, "request_id": "r", "body": body}
        error = None if said is not None else {"code": "x", "message": "overloaded"}
        lines.append({"custom_id": asked["custom_id"], "response": response, "error": error})
    return "".join(f"{json.dumps(one)}\n" for one in lines)


def test_requests_are_answered_elsewhere_and_taken_in(quick: QuickJob) -> None:
    quick.write("in.csv", "id,text\n1,hello\n2,bye\n3,hello\n4,broken\n5,down\n6,left\n")
    flags = ["--choice", "yes", "--choice", "no", "--state", "kept"]
    written = quick.run(*flags, "-o", "requests.jsonl", "--format", "openai-batch")
    assert written.code == 0, written.stderr
    assert quick.computed() == 0
    assert "5 requests written to requests.jsonl" in written.stderr
    assert "llmbatch import kept ANSWERS.jsonl" in written.stderr
    texts: dict[str, str | None] = {
        "Say hello": "yes", "Say bye": "no", "Say broken": "maybe", "Say down": None,
        "Say left": "yes",
    }  # fmt: skip
    content = answered(quick.folder / "requests.jsonl", texts).splitlines(keepends=True)
    kept = [one for one in content if "Say left" not in one]
    left = json.loads((quick.folder / "requests.jsonl").read_text().splitlines()[-1])
    without_last = [one for one in kept if json.loads(one)["custom_id"] != _name(quick, "left")]
    assert left
    odd = json.dumps({"custom_id": "nobody's", "response": None, "error": {"message": "x"}})
    quick.write("answers.jsonl", "".join(without_last) + odd + "\nbroken\n")
    taken = quick.command("import", "kept", "answers.jsonl", "--price-per-million", "1000000/0")
    assert taken.code == 3
    assert "2 answers taken in, 2 failed, 1 unknown to this job, 1 malformed" in taken.stderr
    assert 'line 5: "nobody\'s" is no request of this job' in taken.stderr
    again = quick.command("import", "kept", "answers.jsonl")
    assert "0 answers taken in, 4 settled before" in again.stderr
    done = quick.run(*flags)
    assert done.code == 3, done.stderr
    assert quick.computed() == 1
    assert [record["response"] for record in quick.records()] == ["yes", "no", "yes", "yes"]
    errors = {record["id"]: record["error"] for record in quick.errors()}
    assert errors["4"]["kind"] == "invalid_output"
    assert (errors["5"]["kind"], errors["5"]["message"]) == ("failed_elsewhere", "overloaded")
    report = json.loads((quick.folder / "kept" / "report.json").read_bytes())
    taken_in, computed = report["runs"][1:]
    assert taken_in["prompt_tokens"] == 3 * 7
    assert taken_in["reason"] == "imported: 2 answers of answers.jsonl"
    assert report["all_costs"]["physical"] == 21
    assert computed["requests"] == 1
    assert quick.command("check", "kept").code == 0


def _name(job: QuickJob, text: str) -> str:
    """The name of the request for a text."""
    lines = map(json.loads, (job.folder / "requests.jsonl").read_text().splitlines())
    return next(
        str(one["custom_id"])
        for one in lines
        if one["body"]["messages"][-1]["content"].endswith(text)
    )


def test_a_failure_elsewhere_gives_way_to_an_answer(batch: HereJob) -> None:
    batch.write("in.csv", "id,text\n1,hello\n")
    flags = ["--state", "kept", "-o", "requests.jsonl", "--output-format", "openai-batch"]
    assert batch.here(*ROWS, *flags).code == 0
    requests, kept = batch.folder / "requests.jsonl", Path("kept")
    failed = batch.write("failed.jsonl", answered(requests, {"Say hello": None}))
    content = answered(requests, {"Say hello": "Hello!"})
    other = batch.write("other.jsonl", content.replace('"model": "m"', '"model": "gpt-4o"'))
    assert import_answers.take(kept, failed).failed == 1
    refused = import_answers.take(kept, other)
    assert (refused.answered, refused.foreign) == (0, 1)
    assert import_answers.take(kept, other, any_model=True).answered == 1
    assert import_answers.take(kept, failed).settled == 1
    assert batch.here(*ROWS, "--state", "kept", "-o", "out.jsonl").code == 0
    assert [record["response"] for record in batch.records()] == ["Hello!"]


def test_a_batch_file_that_was_answered_elsewhere_is_taken_in_by_its_own_names(
    batch: HereJob,
) -> None:
    write(
        batch,
        line("a", chat("Hello", temperature=0)),
        line("b", chat("Hello", temperature=0.5, n=2)),
    )
    flags = ["--state", "one.llmbatch"]
    assert batch.answer(*flags).code == 0
    output = batch.output.read_bytes()
    (batch.folder / "elsewhere.jsonl").write_bytes(output)
    batch.output.unlink()
    assert batch.answer("--max-rows", "1", "--state", "two.llmbatch", engine="ledger=ledger")
    batch.computed()
    assert import_answers.take(Path("two.llmbatch"), Path("elsewhere.jsonl")).is_clean
    assert batch.answer("--state", "two.llmbatch", engine="ledger=ledger").code == 0
    assert batch.computed() == 0
    assert [one["response"]["body"]["choices"] for one in batch.records()] == [
        json.loads(one)["response"]["body"]["choices"] for one in output.splitlines()
    ]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--thinking", "off"], "[template] is not said in a batch file"),
        (["-o", "-"], "name a file: -o NAME.jsonl"),
    ],
)
def test_requests_that_a_batch_file_cannot_say(
    batch: HereJob, flags: list[str], words: str
) -> None:
    batch.write("in.csv", "text\nhello\n")
    named = ["-o", "requests.jsonl", "--output-format", "openai-batch", "--state", "kept"]
    done = batch.here(*ROWS, *named, *flags)
    assert done.code == 2
    assert words in done.error
