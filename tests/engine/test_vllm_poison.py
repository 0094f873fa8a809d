"""A real request that kills a real vLLM is found and written off; all others are answered."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.engine import poison, session

pytestmark = session.needs_vllm

ROWS, POISONED = 24, 13


def test_a_poison_request_is_found_by_halving_its_company(tmp_path: Path) -> None:
    texts = [f"row {n:02d} {poison.WORD if n == POISONED else ''}" for n in range(ROWS)]
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    options = {"max_model_len": 256, "kv_cache_memory_bytes": 256 << 20}
    pairs = [part for name in options for part in ("--engine-arg", f"{name}={options[name]}")]
    run = ["run", "in.jsonl", "-o", "out.jsonl", "-m", str(session.MODEL), "-p", "{{ text }}"]
    # Half of these answers have no end of their own.
    run += ["--max-tokens", "8", "--attempts", "1", "--regex", "[a-z]{1,3}"]
    environment = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(
        [sys.executable, "-m", "llmbatch", *run, "--engine", "tests.engine.poison:create", *pairs],
        cwd=tmp_path,
        env=os.environ | environment | {"PYTHONPATH": str(session.ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 3, finished.stderr
    errors = [json.loads(line) for line in (tmp_path / "out.errors.jsonl").open()]
    assert [(row["text"], row["error"]["kind"]) for row in errors] == [
        (texts[POISONED], "engine_crash")
    ]
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == ROWS - 1
    report = json.loads((tmp_path / "out.llmbatch/report.json").read_bytes())
    # A window of 4: at most twice all of them, and one for each halving; each is a restart.
    assert 3 <= report["last_run"]["engine_deaths"] <= 4
    assert report["last_run"]["engine_restarts"] == report["last_run"]["engine_deaths"]
