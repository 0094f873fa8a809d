"""Rows at which a real vLLM breaks or hangs are found and written off; all others are answered."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.engines.vllm import session

pytestmark = session.needs_vllm

ROWS, BREAKING, STALLING = 24, 13, 23
MARKS = {BREAKING: "BREAK", STALLING: "STALL"}


def test_rows_that_end_the_engine_are_found_and_the_rest_is_answered(tmp_path: Path) -> None:
    texts = [f"row {n:02d} {MARKS.get(n, '')}" for n in range(ROWS)]
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    options = {
        "worker_cls": session.MARKED,
        "max_num_seqs": 1,
        "enforce_eager": "true",
        "max_model_len": 256,
        "kv_cache_memory_bytes": 256 << 20,
    }
    pairs = [part for name in options for part in ("--engine-arg", f"{name}={options[name]}")]
    run = ["run", "in.jsonl", "-o", "out.jsonl", "-m", str(session.MODEL), "-p", "{{ text }}"]
    # Half of these answers have no end of their own.
    run += ["--max-tokens", "8", "--attempts", "1", "--regex", "[a-z]{1,3}"]
    run += ["--stall-timeout", "10"]
    environment = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(
        [sys.executable, "-m", "llmbatch", *run, *pairs],
        cwd=tmp_path,
        env=os.environ | environment | {"PYTHONPATH": str(session.ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 3, finished.stderr
    errors = [json.loads(line) for line in (tmp_path / "out.errors.jsonl").open()]
    assert [(row["text"], row["error"]["kind"]) for row in errors] == [
        (texts[BREAKING], "engine_crash"),
        (texts[STALLING], "timeout"),
    ]
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == ROWS - len(MARKS)
    report = json.loads((tmp_path / "out.llmbatch/report.json").read_bytes())
    # The window is 2: each ends at most two engines in company and one alone.
    assert 3 <= report["last_run"]["engine_deaths"] <= 6
