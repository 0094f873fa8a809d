"""The sample job runs as it stands, with the bundled model, and the model does its job."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TICKETS = ROOT / "samples/tickets"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    # In one process: half the start-up time, the same answers.
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"},
    )


@pytest.mark.engine
def test_the_sample_job_gets_95_of_100_held_out_tickets_exactly_right(tmp_path: Path) -> None:
    output = tmp_path / "answers.jsonl"
    # Of the first 200; `make accuracy` has all of them.
    job = [str(TICKETS / "job.toml"), "-o", str(output), "--limit", "200"]
    finished = run("-m", "llmbatch", "run", *job)
    assert finished.returncode in (0, 3), finished.stderr
    score = run(str(TICKETS / "score.py"), str(output), "--of", "200", "--at-least", "95")
    assert score.returncode == 0, score.stdout
    records = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert all(
        set(record["response"]) == {"category", "priority", "order_id"} for record in records
    )
    report = json.loads((tmp_path / "answers.llmbatch/report.json").read_bytes())
    assert report["rows_in"] == 200
    assert report["engine"]["engine"] == "vllm"
    assert report["all_runs"]["cost"] > 0


def test_the_tickets_are_hard_to_read_in_the_ways_that_real_ones_are() -> None:
    text = (TICKETS / "tickets.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) >= 500
    assert all(row["id"].startswith("0") for row in rows)
    assert sum("\n" in row["text"] for row in rows) > 50
    assert sum('"' in row["text"] for row in rows) > 20
    assert sum("," in row["text"] for row in rows) > 100


def test_the_same_tickets_are_there_as_json_lines() -> None:
    text = (TICKETS / "tickets.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    lines = (TICKETS / "tickets.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    blank = [{name: value or "" for name, value in record.items()} for record in records]
    assert blank == rows


def test_the_tickets_are_what_their_generator_writes(tmp_path: Path) -> None:
    before = {name: (TICKETS / name).read_bytes() for name in ("tickets.csv", "tickets.jsonl")}
    # It writes beside itself.
    for script in TICKETS.glob("*.py"):
        shutil.copy(script, tmp_path)
    finished = run(str(tmp_path / "generate.py"))
    assert finished.returncode == 0, finished.stderr
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_the_model_is_small_and_a_real_bf16_qwen3() -> None:
    weights = ROOT / "samples/model/model.safetensors"
    assert weights.stat().st_size <= 5_000_000
    with weights.open("rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    kinds = {tensor["dtype"] for name, tensor in header.items() if name != "__metadata__"}
    assert kinds == {"BF16"}
    config = json.loads((ROOT / "samples/model/config.json").read_bytes())
    assert config["architectures"] == ["Qwen3ForCausalLM"]


def test_a_student_learns_from_exported_chats(tmp_path: Path) -> None:
    """Two steps: trained on nothing else, with its own size, and the tokenizer of the other."""
    chat = [{"role": "user", "content": "Classify: late"}, {"role": "assistant", "content": "late"}]
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(json.dumps({"messages": chat}) + "\n")
    size = ("--layers", "1", "--width", "32", "--steps", "2", "--out", str(tmp_path / "student"))
    done = run("samples/model/train.py", "--pairs", str(pairs), *size)
    assert done.returncode == 0, done.stderr
    assert "57,504 parameters" in done.stdout
    config = json.loads((tmp_path / "student/config.json").read_bytes())
    assert (config["num_hidden_layers"], config["hidden_size"]) == (1, 32)
    vocabularies = [
        json.loads((folder / "tokenizer.json").read_bytes())["model"]["vocab"]
        for folder in (tmp_path / "student", ROOT / "samples/model")
    ]
    assert vocabularies[0] == vocabularies[1]
