"""The parts of the suite that need no engine: measuring, findings, tables, workloads."""

import json
import math
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from llmbatch.sizing import roofline
from llmbatch.sizing.roofline import Ceilings, Load
from tests.bench import (
    choices,
    cost,
    generation,
    gpu,
    long_prompt,
    parts,
    streams,
    suite,
    table,
    tail,
    workloads,
)
from tests.bench.batch import flags_of
from tests.bench.earlier import Build
from tests.bench.findings import Finding, at_least, at_most, compared, measured
from tests.bench.measure import MIB, ROOT, CommandError, Spent, spend
from tests.bench.sides import FULL, QUICK, Bench, Ran

HERE = Path(__file__).parent


def test_a_place_takes_whole_answers() -> None:
    """Of 480 rows that take four steps each, 128 at a time, three in a place would be 384."""
    assert [long_prompt.fewest_steps(rows) for rows in (1, 128, 129, 480)] == [4, 4, 8, 16]


def test_a_command_is_measured_with_its_children(tmp_path: Path) -> None:
    child = "import time; held = bytearray(64 << 20); time.sleep(1.2)"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    spent = spend([sys.executable, "-c", script], tmp_path / "log", memory=True)
    assert spent.seconds > 1.2
    assert 0 < spent.cpu_seconds < spent.seconds
    assert spent.tree_bytes > 64 * MIB > spent.front_bytes > 4 * MIB


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('out of luck'); sys.exit(4)"]
    with pytest.raises(CommandError, match=r"exit code 4(.|\n)*out of luck"):
        spend(command, tmp_path / "log")
    assert spend(command, tmp_path / "log", fine=(4,)).code == 4


def test_rounds_are_judged_by_the_median_of_their_ratios() -> None:
    pairs = [(90.0, 100.0), (300.0, 200.0), (99.0, 100.0)]
    found = compared("x", "y", "rows/s", pairs, at_least(0.98))
    assert (found.ours, found.theirs) == ("99 rows/s", "100 rows/s")
    assert found.ratio == "0.990 (0.900 to 1.500)"
    assert found.met
    assert not compared("x", "y", "s", pairs, at_most(0.98)).met
    assert measured("x", "y", "s", [61.0], at_most(60, " s")).met is False
    assert measured("x", "y", "MiB", [61.0], None).met is None


def test_a_missed_goal_is_printed_as_missed() -> None:
    found = measured("ordering", "order", "s", [61.0], at_most(60, " s"), ["why"])
    assert table.rows_of([found])[2] == "| ordering | order | 61 s | - | - | ≤ 60 s | **missed** |"
    assert table.notes_of([found]) == ["- ordering: why"]


def finding(case: str, ours: str) -> Finding:
    return Finding(case, "what", ours, "-", "-", "-", None)


def test_results_keep_the_cases_that_were_not_measured_again(tmp_path: Path) -> None:
    for case, ours in (("cost", "1 s"), ("tail", "2 steps"), ("cost", "3 s")):
        results = table.Results(tmp_path)
        results.put([finding(case, ours), finding(case, f"more {ours}")], f"run {case}")
        results.write(["tail", "cost"])
    page = (tmp_path / "RESULTS.md").read_text()
    assert "1 s" not in page
    assert page.index("| more 2 steps |") < page.index("| 3 s |") < page.index("| more 3 s |")
    assert "`run tail`" in page
    assert f"- processor: {table.machine()['processor']}" in page
    assert "**`gpu.sh` has not run**" in page


def test_results_of_a_gpu_are_a_page_of_their_own(tmp_path: Path) -> None:
    for name in ("RESULTS-gpu", "RESULTS"):
        results = table.Results(tmp_path, name)
        results.put([finding("cost", name)], "run")
        results.write(["cost"])
    assert "has not run" not in (tmp_path / "RESULTS-gpu.md").read_text()
    page = (tmp_path / "RESULTS.md").read_text()
    assert "See RESULTS-gpu.md." in page
    assert "has not run" not in page


def test_results_of_another_machine_are_left_out(tmp_path: Path) -> None:
    other = {"machine": {"processor": "abacus", "memory": "1 GiB"}, "cases": {"cost": {}}}
    (tmp_path / "results.json").write_text(json.dumps(other))
    results = table.Results(tmp_path)
    results.put([finding("tail", "5")], "run")
    results.write(suite.CASES)
    assert list(json.loads((tmp_path / "results.json").read_text())["cases"]) == ["tail"]


def test_workloads_are_what_they_say() -> None:
    repeated = [row["text"] for row in workloads.duplicates(1000)]
    assert len(set(repeated)) == 700
    assert repeated == [row["text"] for row in workloads.duplicates(1000)]
    assert len({row["text"] for row in workloads.replies(3000)}) == 3000
    texts = [row["text"] for row in workloads.long_last(400)]
    assert texts == sorted(texts)
    lengths = [len(text) for text in texts]
    longest = sorted(range(400), key=lambda number: -lengths[number])[: 24 + 16]
    assert set(longest) == {*range(376, 400), *range(0, 376, 25)}


def test_the_table_has_a_distinct_field_first_and_shared_ones_behind() -> None:
    rows = list(workloads.shared_fields(1000))
    counts = {name: len({row[name] for row in rows}) for name in rows[0]}
    assert next(iter(counts)) == "id"
    assert counts["id"] == 1000
    assert (counts["policy"], counts["team"]) == (5, 4)
    assert Counter(row["product"] for row in rows).keys() <= {
        f"product {number:02d}" for number in range(40)
    }
    assert len({(row["product"], row["description"]) for row in rows}) == counts["product"]
    first = workloads.prompt_of(workloads.RECORD, rows[0])
    assert first.startswith('Classify the ticket: {"id":')
    assert json.loads(first.partition(": ")[2]) == rows[0]


def test_run_batch_gets_the_same_requests_and_settings(tmp_path: Path) -> None:
    rows = workloads.replies(3)
    path = workloads.write_batch(tmp_path / "b", workloads.REPLY, rows, "some/model", 9)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    contents = [line["body"]["messages"][0]["content"] for line in lines]
    expected = workloads.messages_of(workloads.REPLY, workloads.replies(3))
    assert contents == [messages[0][1] for messages in expected]
    assert {line["body"]["max_tokens"] for line in lines} == {9}
    flags = flags_of(Bench(tmp_path, engine={"max_num_seqs": 64, "a_b": True, "c": False}))
    assert flags == ["--max-num-seqs", "64", "--a-b", "--no-c"]


def test_no_order_has_fewer_steps_than_the_floor() -> None:
    assert tail.floor(tokens=6401, longest=90, at_once=64) == 101
    assert tail.floor(tokens=640, longest=90, at_once=64) == 90


def test_steps_are_told_beside_the_fewest_possible() -> None:
    theirs = {"requests": 200, "output_tokens": 6401, "longest": 90, "steps": 202}
    found = tail.finding(111, theirs, at_once=64)
    assert (found.ours, found.theirs, found.met) == ("111 steps", "202 steps", True)
    assert (
        "fewer than 101 steps; llmbatch takes 9.9% more, the planned order 100.0%" in found.notes[0]
    )
    assert tail.finding(203, theirs, at_once=64).met is False


def test_duplicates_are_judged_by_all_rows(tmp_path: Path) -> None:
    report = {"rows_in": 1000, "requests": 700, "last_run": {"generate_seconds": 5.0}}
    ran = Ran(report, tmp_path / "out.jsonl", Spent(0, 20, 10, 0, 0))
    theirs = {"repeated": {"requests": 1000, "seconds": 7.0}}
    found = generation.repeated([({"repeated": ran}, theirs)])
    assert (found.ours, found.ratio, found.met) == ("200 rows/s", "1.400", True)
    assert found.what.startswith("300 of 1,000 rows are duplicates")
    assert found.notes == ("1.43 is the limit if nothing else differed",)


def test_a_row_costs_what_the_phases_of_a_run_took(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rounds=1, sizes={**QUICK, "cost": 3000})
    work, ingest = cost.run(bench, ["cost"])
    assert work.ours.endswith("rows/s")
    assert ingest.what == "the same: ingest"
    assert all(phase in work.notes[0] for phase in cost.PHASES)
    assert list(tmp_path.iterdir()) == []


def test_a_kill_and_an_order_are_measured_by_their_own_programs(tmp_path: Path) -> None:
    sizes = {**QUICK, "kill": 900, "kills": 3, "ordering": 2000}
    choose, memory, kill = parts.run(Bench(tmp_path, rounds=1, sizes=sizes), parts.CASES)
    assert choose.met
    assert memory.met
    assert "checkpoint interval (0.5 s)" in kill.what
    assert kill.notes[0].startswith(("1 kill", "2 kill", "3 kill"))


def test_a_share_of_the_roofline_counts_all_requests() -> None:
    figures = {
        "requests": 100, "prompt_tokens": 12_800, "cached_tokens": 0, "output_tokens": 1600,
        "generate_seconds": 10.0,
    }  # fmt: skip
    ceilings = Ceilings(1e12, 1e11)
    one = roofline.seconds(gpu.TINY, Load(128, 0, 16), 64, ceilings)
    assert math.isclose(gpu.share(figures, gpu.TINY, 64, ceilings), one * 100 / 10 * 100)


def test_the_model_of_the_gpu_suite_has_the_shape_of_qwen3_8b(tmp_path: Path) -> None:
    folder = gpu.make_model(tmp_path / "model", gpu.QWEN3_8B)
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["Qwen3ForCausalLM"]
    assert (config["num_hidden_layers"], config["hidden_size"]) == (36, 4096)
    assert len(config["layer_types"]) == 36
    assert not list(folder.glob("*.safetensors"))


def test_prompts_have_the_length_that_was_asked_for() -> None:
    tokenizers = pytest.importorskip("tokenizers")  # comes with an engine
    tokenizer = tokenizers.Tokenizer.from_file(str(workloads.MODEL / "tokenizer.json"))
    rows = list(gpu.prompts(gpu.Work(20, 512, 1)))
    lengths = [len(tokenizer.encode(row["text"]).ids) for row in rows]
    assert 480 < sum(lengths) / 20 < 545
    assert len({row["text"].split()[0] for row in rows}) == 20


def test_gpu_sh_is_a_shell_script_that_asks_for_a_gpu(tmp_path: Path) -> None:
    script = HERE / "gpu.sh"
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    for tool in ("sh", "dirname"):
        found = next(
            Path(folder) / tool
            for folder in os.defpath.split(":")
            if (Path(folder) / tool).exists()
        )
        (tmp_path / tool).symlink_to(found)
    ended = subprocess.run(
        ["/bin/sh", str(script)], env={"PATH": str(tmp_path)}, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert b"needs an NVIDIA GPU" in ended.stderr


def test_figures_that_mean_nothing_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    for main, given in ((suite.main, ["--quick"]), (gpu.main, ["--device", "cpu"])):
        with pytest.raises(SystemExit) as ended:
            main([*given, "--write"])
        assert ended.value.code == 2
        assert "nothing" in capsys.readouterr().err


def test_a_size_that_nothing_has_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for size in ("tails=5", "tail", "tail=many"):
        with pytest.raises(SystemExit) as ended:
            suite.main(["--only", "tail", "--size", size])
        assert ended.value.code == 2
        assert f"--size {size}: write NAME=NUMBER" in capsys.readouterr().err


def test_a_case_that_cannot_be_measured_does_not_stop_the_others(tmp_path: Path) -> None:
    def broken(bench: Bench, wanted: object) -> list[Finding]:
        raise CommandError("exit code 1: it did not start")

    def sound(bench: Bench, wanted: object) -> list[Finding]:
        return [finding("sound", "1 s")]

    said: list[str] = []
    groups = ((("broken",), broken), (("sound",), sound), (("unwanted",), broken))
    bench = Bench(tmp_path, say=said.append)
    findings, problems = suite.measure(bench, ["sound", "broken"], groups)
    assert [found.case for found in findings] == ["sound"]
    assert problems == ["broken: exit code 1: it did not start"]
    assert said[0] == "broken:"


def test_every_case_has_sizes_for_both_forms() -> None:
    assert FULL.keys() == QUICK.keys()
    assert all(QUICK[name] <= FULL[name] for name in FULL)
    assert suite.APART.issubset(suite.CASES)


def test_real_texts_are_distinct_and_the_same_at_every_call() -> None:
    lines = list(workloads.docstrings(20))
    assert lines == list(workloads.docstrings(20))
    assert len({line["text"] for line in lines}) == 20
    assert all(len(line["text"].split()) >= 5 for line in lines)


def test_labels_of_both_sides_are_compared_by_their_prompts(tmp_path: Path) -> None:
    """The baseline has them in the planned order, the output in that of the input."""
    output = tmp_path / "out.jsonl"
    rows = [{"text": "one", "response": "a"}, {"text": "two", "response": "b"}]
    output.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ours = Ran({}, output, Spent(0, 0.0, 0.0, 0, 0))
    planned = [
        [["system", "Be short."], ["user", workloads.prompt_of(choices.PROMPT, row)]]
        for row in reversed(rows)
    ]
    assert choices.same_labels(ours, planned, ["b", "a"]) == 2
    assert choices.same_labels(ours, planned, ["a", "a"]) == 1


@pytest.mark.parametrize("memory", [False, True])
def test_the_seconds_of_a_process_are_told_without_those_of_its_children(
    tmp_path: Path, memory: bool
) -> None:
    work = "while time.process_time() < 0.3: pass"
    child = f"subprocess.run([sys.executable, '-c', 'import time\\n{work}'])"
    command = [sys.executable, "-c", f"import subprocess, sys, time; {child}"]
    spent = spend(command, tmp_path / "log", memory=memory)
    assert spent.cpu_seconds >= 0.3
    assert 0 < spent.own_seconds < spent.cpu_seconds - 0.2


def test_checkpoints_are_measured_beside_the_build_before(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rounds=1, sizes={**QUICK, "checkpoints": 600})
    made, against = streams._checkpoints(bench, Build("before", ROOT))
    assert made.ours.endswith("µs")
    assert [note.split(":")[0] for note in made.notes] == ["this", "before"]
    assert float(against.ratio) > 0


def test_wide_rows_have_as_many_bytes_where_they_are_fewer(tmp_path: Path) -> None:
    for rows, width in ((80, 10), (20, 40)):
        streams.write_wide(tmp_path / f"{rows}.csv", rows, width)
    many, few = ((tmp_path / f"{rows}.csv").read_text().splitlines() for rows in (80, 20))
    assert {line.count(",") for line in (*many, *few)} == {streams.COLUMNS - 1}
    assert (len(many), len(few)) == (81, 21)
    assert len(few[1]) > 3 * len(many[1])
