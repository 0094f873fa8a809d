"""The merged shards of a job are the job that one run would have done."""

import shutil
from pathlib import Path

import pytest

from tests.cli.command import Finished, QuickJob
from tests.cli.test_shards import PROMPT, rows, run
from tests.crash.tracer import Tracer

FORMATS = ("jsonl", "csv", "parquet")
WHOLE = ("-p", PROMPT, "--require", "text", "-o", "whole.jsonl", "--price-per-hour", "3600")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, forks: Tracer) -> Path:
    """Three finished shards, the second of which was killed and run again, and the whole job."""
    job = QuickJob(tmp_path_factory.mktemp("shards"), forks)
    job.write("in.csv", rows())
    for number in (1, 2, 3):
        if number == 2:
            killed = _shard(job, number, engine="kill_after=7 window=2")
            assert killed.code not in (0, 3)
        assert _shard(job, number).code in (0, 3)
    assert job.run(*WHOLE).code == 3
    return job.folder


def _shard(job: QuickJob, number: int, engine: str = "") -> Finished:
    flags = ["-p", PROMPT, "--require", "text", "--shard", f"{number}/3"]
    pace = ["--checkpoint-rows", "3", "--price-per-hour", "3600"]
    return job.run(*flags, *pace, engine=engine)


@pytest.fixture
def done(template: Path, tmp_path: Path, forks: Tracer) -> QuickJob:
    shutil.copytree(template, tmp_path / "job")
    job = QuickJob(tmp_path / "job", forks)
    job.computed()
    return job


def same(job: QuickJob, output: str = "out", whole: str = "whole", ending: str = "jsonl") -> bool:
    """True if output and error file are those of the whole job."""
    pairs = ((f"{{}}.{ending}",), ("{}.errors.jsonl",))
    return all(
        (job.folder / name.format(output)).read_bytes()
        == (job.folder / name.format(whole)).read_bytes()
        for (name,) in pairs
    )


def state(number: int) -> str:
    return f"out-shard-{number}-of-3.llmbatch"


def test_the_merged_job_is_that_of_one_run(done: QuickJob) -> None:
    merged = done.command("merge", "out.jsonl")
    assert merged.code == 3
    assert same(done)
    assert done.command("check", "--deep", "out.jsonl").code == 0
    assert "merged 3 shards: finished, 2 rows not answered" in merged.stderr
    assert run(done, "1/3").code in (0, 3)
    assert (done.command("merge", "out.jsonl", "-q").code, same(done)) == (3, True)


def test_the_merged_job_goes_on_without_shards(done: QuickJob) -> None:
    done.command("merge", "out.jsonl", "-q")
    done.output.unlink()
    again = done.run("-p", PROMPT, "--require", "text")
    assert (again.code, done.computed(), same(done)) == (3, 0, True)
    assert "reading the input again" not in again.stderr
    done.write("in.csv", rows(64))
    assert done.run("-p", PROMPT, "--require", "text").code == 3
    done.computed()
    whole = done.run("-p", PROMPT, "--require", "text", "-o", "whole.jsonl")
    assert (whole.code, same(done)) == (3, True)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_merged_outputs_of_other_formats_are_the_same(done: QuickJob, ending: str) -> None:
    assert done.command("merge", "out.jsonl", "-o", f"all.{ending}", "-q").code == 3
    done.run(*WHOLE, "-o", f"whole.{ending}")
    assert same(done, "all", "whole", ending)


def test_the_report_has_the_sums_of_all_shards(done: QuickJob) -> None:
    shards = [QuickJob(done.folder, done._forks) for _ in range(3)]
    for number, shard in enumerate(shards, 1):
        shard.state = done.folder / state(number)
    parts = [shard.report() for shard in shards]
    done.command("merge", "out.jsonl", "-q")
    merged = done.report()
    summed = {
        name: sum(part["all_runs"][name] for part in parts)
        for name in ("requests", "prompt_tokens", "output_tokens")
    }
    assert {name: merged["all_runs"][name] for name in summed} == summed
    assert merged["all_costs"]["physical"] == pytest.approx(
        sum(part["all_costs"]["physical"] for part in parts)
    )
    assert merged["all_runs"]["cost"] == pytest.approx(
        sum(part["all_runs"]["cost"] for part in parts)
    )
    assert (merged["all_runs"]["unpriced_runs"], merged["input_notes"]) == ([], [])
    done.state = done.folder / "whole.llmbatch"
    whole = done.report()
    for name in ("counts", "requests", "duplicates", "failures", "skips", "rejects", "samples"):
        if name != "duplicates":
            assert merged[name] == whole[name], name
    assert merged["duplicates"]["rows"] == whole["duplicates"]["rows"]


def test_merging_again_is_merging_once(done: QuickJob) -> None:
    done.command("merge", "out.jsonl", "-q")
    before = done.output.read_bytes()
    runs = len(done.report()["runs"])
    again = done.command("merge", state(3), state(1), state(2), "-o", "out.jsonl")
    assert (again.code, done.output.read_bytes()) == (3, before)
    assert "all of it was merged before" in again.stderr
    assert len(done.report()["runs"]) == runs


def test_shards_that_went_on_are_merged_anew(done: QuickJob) -> None:
    done.command("merge", "out.jsonl", "-q")
    for number in (1, 2, 3):
        done.command("retry", state(number))
    unfinished = done.command("merge", "out.jsonl")
    assert (unfinished.code, "not done (1 row left)" in unfinished.error) == (4, True)
    for number in (1, 2, 3):
        run(done, f"{number}/3")
    assert done.command("merge", "out.jsonl").code == 3
    assert done.command("check", "--deep", "out.jsonl").code == 0
    # One that has answers of its own is not made anew.
    done.run("-p", "Tell {{ text }}", "--require", "text")
    assert done.command("merge", "out.jsonl", "-q").code in (3, 4)
    run(done, "1/3", "-p", "Tell {{ text }}")
    run(done, "2/3", "-p", "Tell {{ text }}")
    run(done, "3/3", "-p", "Tell {{ text }}")
    refused = done.command("merge", "out.jsonl")
    assert (refused.code, "answers that none of these shards has" in refused.error) == (2, True)


def test_missing_and_unfinished_shards_are_named(done: QuickJob) -> None:
    shutil.rmtree(done.folder / state(2))
    (done.folder / state(3)).rename(done.folder / "aside")
    missing = done.command("merge", "out.jsonl")
    assert missing.code == 4
    assert "shards 2, 3 of 3 are missing" in missing.error
    (done.folder / "aside").rename(done.folder / state(3))
    assert run(done, "2/3", "--max-rows", "3").code == 4
    unfinished = done.command("merge", "out.jsonl")
    assert (unfinished.code, "shard 2 of 3 is not done (" in unfinished.error) == (4, True)
    assert not done.output.exists()
    partial = done.command("merge", "out.jsonl", "--partial")
    assert (partial.code, " rows left" in partial.stderr) == (4, True)
    assert done.command("check", "--deep", "out.jsonl").code == 0
    done.computed()
    assert done.run("-p", PROMPT, "--require", "text").code == 3
    assert same(done)


def test_what_is_missing_is_read_from_the_input_again(done: QuickJob) -> None:
    shutil.rmtree(done.folder / state(2))
    partial = done.command("merge", "out.jsonl", "--partial")
    assert (partial.code, "1 shard missing" in partial.stderr) == (4, True)
    assert done.command("check", "--deep", "out.jsonl").code == 0
    assert done.run("-p", PROMPT, "--require", "text").code == 3
    assert 0 < done.computed() < 15
    assert same(done)


def test_shards_of_other_jobs_are_refused(done: QuickJob) -> None:
    def refusal(*names: str) -> str:
        found = done.command("merge", *names, "-o", "all.jsonl")
        assert found.code == 2
        assert not (done.folder / "all.llmbatch").exists()
        return found.error

    assert "is shard 1, as" in refusal(state(1), state(1))
    run(done, "2/2")
    assert "is one of" in refusal(state(1), "out-shard-2-of-2.llmbatch")
    assert "is no shard" in refusal(state(1), "whole.llmbatch")
    done.run(*WHOLE[2:], "-p", "Tell {{ text }}", "-o", "out.jsonl", "--shard", "3/3")
    assert "asks otherwise than" in refusal(state(1), state(2), state(3))
    done.write("in.csv", rows(64))
    run(done, "3/3")
    assert "asks otherwise than" in refusal(state(1), state(2), state(3))
    done.write("in.csv", rows())
    run(done, "3/3", "--response-column", "said")
    assert "differs from" in (said := refusal(state(1), state(2), state(3)))
    assert "response_column" in said
    assert "no job found there" in refusal("nothing.jsonl")


def test_damaged_stores_and_foreign_outputs_are_refused(done: QuickJob) -> None:
    done.write("out.jsonl", '{"a": 1}\n')
    foreign = done.command("merge", *map(state, (1, 2, 3)), "-o", "out.jsonl")
    assert (foreign.code, "was not written by llmbatch" in foreign.error) == (2, True)
    assert done.output.read_text() == '{"a": 1}\n'
    assert done.command("merge", "out.jsonl", "--overwrite", "-q").code == 3
    store = done.folder / state(2) / "job.duckdb"
    store.write_bytes(store.read_bytes()[:4096] + b"\0" * 300_000)
    damaged = done.command("merge", "out.jsonl")
    assert (damaged.code, state(2) in damaged.error) == (2, True)
    assert same(done)


def test_a_request_that_another_shard_has_now_is_counted_once(job: QuickJob) -> None:
    made = [f"{number},g,text {number}\n" for number in range(30)]
    job.write("in.csv", "id,group,text\n" + "".join(made))
    for number in (1, 2):
        assert run(job, f"{number}/2").code == 0
    more = [f"{100 + number},a,text {number}\n" for number in range(10)]
    job.write("in.csv", "id,group,text\n" + "".join([*made, *more]))
    for number in (1, 2):
        assert run(job, f"{number}/2").code == 0
    asked = job.computed()
    merged = job.command("merge", "out.jsonl", "-q")
    assert merged.code == 0
    assert job.command("check", "--deep", "out.jsonl").code == 0
    assert job.report()["all_runs"]["requests"] == asked
    assert job.run("-p", PROMPT, "--require", "text", "-o", "whole.jsonl").code == 0
    assert job.output.read_bytes() == (job.folder / "whole.jsonl").read_bytes()


def test_a_folder_with_shards_reads_sensibly(done: QuickJob) -> None:
    seen = done.command("status", "out.jsonl")
    first, *_, last = seen.stdout.splitlines()
    assert first.startswith("shard 1 of 3: ended: finished")
    assert last.startswith("all: 57 answered, 1 failed, 1 rejected, 1 skipped")
    assert '"missing": []' in done.command("status", "out.jsonl", "--format", "json").stdout
    shutil.rmtree(done.folder / state(2))
    last = done.command("status", "out.jsonl").stdout.splitlines()[-1]
    assert last.endswith("; 1 shard not here")
    asked = done.command("report", "out.jsonl")
    assert asked.code == 2
    assert "only shards of it are there: merge them (llmbatch merge out.jsonl)" in asked.error
    assert done.command("report", "--all", ".").code == 0
    assert done.command("status", state(1)).stdout.startswith("ended: finished")
