"""`llmbatch tune` with a real vLLM in its own process, as the command line starts it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines.vllm import session

pytestmark = session.needs_vllm

TICKETS = session.ROOT / "samples/tickets"
NAMES = {"job.toml", "prompt.txt", "schema.json", "tickets.csv"}


def copied(folder: Path) -> Path:
    """The sample job; its model stays where it is."""
    for name in NAMES:
        shutil.copy(TICKETS / name, folder)
    return folder / "job.toml"


def tune(job: Path, *sets: str) -> subprocess.CompletedProcess[str]:
    flags = ("-m", str(session.MODEL), "--rows", "32", "--max-tokens", "8", "--format", "json")
    return subprocess.run(
        [sys.executable, "-m", "llmbatch", "tune", str(job), *flags, *sets],
        capture_output=True,
        text=True,
        check=False,
        cwd=job.parent,
        env=os.environ
        | {"PYTHONPATH": str(session.ROOT), "OMP_NUM_THREADS": "1"}
        | {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"},
    )


def test_two_settings_are_measured_and_one_does_not_start(tmp_path: Path) -> None:
    job = copied(tmp_path)
    # A cache of so many blocks holds no request of full length.
    done = tune(job, "--set", "max_num_seqs=2", "--set", "num_gpu_blocks_override=1")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    present, narrow, broken = found["settings"][:3]
    for one in (present, narrow):
        assert one["tokens_per_second"] > 0
        assert one["failed"] == 0
    # Two requests at a time are slower than 64, also on a busy machine.
    assert max(narrow["gains"]) < 0
    assert "tokens_per_second" not in broken
    assert "\n" not in broken["note"]
    assert found["best"] == {}
    assert job.read_text() == (TICKETS / "job.toml").read_text()
    assert {path.name for path in tmp_path.iterdir()} == NAMES


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ("kv_cache_dtype=fp8", "--set kv_cache_dtype=fp8: can change the answers"),
        ("dtype=auto,float32", "--set dtype=float32: can change the answers"),
        ("max_num_seq=3", "engine option 'max_num_seq': vLLM has none (did you mean"),
        ("block-size=much", "engine option 'block_size': 'much' is not a whole number"),
        ("data_parallel_size=2", "cannot be set"),
    ],
)
def test_refused_before_anything_is_loaded(tmp_path: Path, setting: str, error: str) -> None:
    done = tune(copied(tmp_path), "--set", setting)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert error in done.stderr
