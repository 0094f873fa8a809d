"""Each of n runs works on its shard of the rows; together they have done what one run does."""

from pathlib import Path

import pytest

from tests.cli.command import ENGINE, Finished, QuickJob

PROMPT = "{{ group }} says {{ text }}"


def rows(count: int = 60) -> str:
    """Rows with duplicates (each text comes twice), one skipped, one that fails, one rejected."""
    made = [f"{number},g{number % 3},text {number % (count // 2)}\n" for number in range(count)]
    made[5], made[11] = "5,g1,\n", "11,g2,FAIL:refused_request\n"
    made[17] = "17,a,b,c,d\n"
    return "id,group,text\n" + "".join(made)


def run(job: QuickJob, shard: str, *more: str) -> Finished:
    return job.run("-p", PROMPT, "--require", "text", "--shard", shard, *more)


def lines(job: QuickJob, pattern: str) -> list[bytes]:
    """All lines of the files of this pattern, sorted."""
    return sorted(
        line for path in job.folder.glob(pattern) for line in path.read_bytes().splitlines()
    )


@pytest.fixture
def big(job: QuickJob) -> QuickJob:
    job.write("in.csv", rows())
    return job


def test_the_shards_have_each_row_once_and_compute_nothing_twice(big: QuickJob) -> None:
    codes = [run(big, f"{number}/3").code for number in (1, 2, 3)]
    assert set(codes) == {0, 3}  # the rejected line and the row that failed are in few of them
    asked = big.computed()
    assert big.run("-p", PROMPT, "--require", "text", "-o", "whole.jsonl").code == 3
    assert big.computed() == asked
    assert lines(big, "out-shard-?-of-3.jsonl") == lines(big, "whole.jsonl")
    failed, rejected = sorted(lines(big, "out-shard-*.errors.jsonl"), key=len)
    assert sorted([failed, rejected]) == lines(big, "whole.errors.jsonl")
    shares = [len(lines(big, f"out-shard-{number}-of-3.jsonl")) for number in (1, 2, 3)]
    assert min(shares) >= 15
    for number in (1, 2, 3):
        assert big.command("check", f"out-shard-{number}-of-3.llmbatch").code == 0


def test_rows_that_share_a_prefix_stay_in_one_shard(big: QuickJob) -> None:
    assert run(big, "1/3").code in (0, 3)
    groups = [record["group"] for record in big.records("out-shard-1-of-3.jsonl")]
    assert groups.count("g0") >= len(groups) - 2


def test_a_shard_goes_on_without_reading_the_input_again(big: QuickJob) -> None:
    assert run(big, "2/3", "--max-rows", "4").code == 4
    again = run(big, "2/3", "--chunk-size", "3")
    assert again.code in (0, 3)
    assert "reading the input again" not in again.stderr
    done = big.computed()
    assert (run(big, "2/3").code in (0, 3), big.computed()) == (True, 0)
    run(big, "2/3", "-o", "other.jsonl")
    assert big.computed() == done


def test_another_prompt_or_input_is_planned_from_the_whole_input(big: QuickJob) -> None:
    run(big, "1/2")
    run(big, "2/2")
    for number in (1, 2):
        assert run(big, f"{number}/2", "-p", "Tell {{ text }}").code in (0, 3)
    big.run("-p", "Tell {{ text }}", "--require", "text", "-o", "whole.jsonl")
    assert lines(big, "out-shard-?-of-2.jsonl") == lines(big, "whole.jsonl")
    big.write("in.csv", rows(72))
    big.computed()
    for number in (1, 2):
        assert run(big, f"{number}/2", "-p", "Tell {{ text }}").code in (0, 3)
    big.run("-p", "Tell {{ text }}", "--require", "text", "-o", "whole.jsonl")
    assert lines(big, "out-shard-?-of-2.jsonl") == lines(big, "whole.jsonl")


@pytest.mark.parametrize(
    "flags",
    [
        ["-p", "{{ record }}"],
        ["--duplicates", "each"],
        ["--temperature", "1", "--samples", "3", "--seed", "1"],
        ["--id-column", "id", "--where", "text <> 'text 3'", "--limit", "20"],
    ],
    ids=["order", "each", "samples", "part"],
)
def test_what_is_found_of_the_data_is_the_same_in_all_shards(
    big: QuickJob, flags: list[str]
) -> None:
    for number in (1, 2, 3):
        assert run(big, f"{number}/3", *flags).code in (0, 3)
        assert run(big, f"{number}/3", "--fresh", *flags).code in (0, 3)
    big.run("-p", PROMPT, "--require", "text", "-o", "whole.jsonl", *flags)
    assert lines(big, "out-shard-?-of-3.jsonl") == lines(big, "whole.jsonl")


def test_answers_are_kept_under_another_limit(big: QuickJob) -> None:
    for number in (1, 2):
        run(big, f"{number}/2", "--max-tokens", "50")
    big.computed()
    for number in (1, 2):
        assert run(big, f"{number}/2", "--max-tokens", "90").code in (0, 3)
    assert big.computed() <= 1  # the row that the engine refused
    big.run("-p", PROMPT, "--require", "text", "-o", "whole.jsonl", "--max-tokens", "90")
    assert lines(big, "out-shard-?-of-2.jsonl") == lines(big, "whole.jsonl")


def test_a_store_of_another_shard_is_refused(big: QuickJob) -> None:
    run(big, "1/2")
    state = ["--state", "out-shard-1-of-2.llmbatch"]
    whole = big.run("-p", PROMPT, *state)
    assert whole.code == 2
    assert "holds the answers of shard 1/2: run it with --shard 1/2" in whole.error
    for name in ("job.duckdb", "journal"):
        Path(big.folder / "out-shard-1-of-2.llmbatch" / name).rename(big.folder / name)
    (big.folder / "out-shard-2-of-2.llmbatch").mkdir(mode=0o700)
    for name in ("job.duckdb", "journal"):
        (big.folder / name).rename(big.folder / "out-shard-2-of-2.llmbatch" / name)
    other = run(big, "2/2")
    assert (other.code, "shard 1/2" in other.error) == (2, True)
    assert run(big, "2/2", "--fresh").code in (0, 3)
    assert big.run("-p", PROMPT).code in (0, 3)
    mine = run(big, "1/2", "--state", "out.llmbatch")
    assert mine.code in (0, 3)  # its folder has a name of its own


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--shard", "3/2"], "write a number and how many there are: 2/8"),
        (["--shard", "0/2"], "write a number and how many there are: 2/8"),
        (["--shard", "1/2", "--eval-gold", "text", "--eval-min", "accuracy=0.5"], "llmbatch eval"),
    ],
)
def test_what_no_shard_can_decide_is_refused(job: QuickJob, flags: list[str], said: str) -> None:
    found = job.run(*flags)
    assert (found.code, said in found.error) == (2, True), found.error
    assert job.names() == {"in.csv"}


def test_no_shard_ranks_its_rows(job: QuickJob) -> None:
    pair = ["--task", "score", "--query", "q", "--document", "{{ text }}", "--group-by", "text"]
    usual = ["in.csv", "-o", "out.jsonl", "-m", "m", "--engine", ENGINE]
    found = job.command("run", *usual, *pair, "--shard", "1/2")
    assert (found.code, "ranked among those of all shards" in found.error) == (2, True)


def test_a_shard_names_all_its_files(job: QuickJob) -> None:
    files = ["-o", "answers", "--output-format", "csv", "--state", "kept", "--report", "r.md"]
    assert job.run(*files, "--shard", "1/1", "--metrics-file", "m.prom").code == 0
    shard = "-shard-1-of-1"
    assert job.names() == {
        *("in.csv", f"answers{shard}", f"kept{shard}", f"r{shard}.md", f"m{shard}.prom")
    }
