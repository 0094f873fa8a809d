"""Rows a second while generating: two replicas of vLLM over Ray, a core each, against one of them.

    python -m tests.bench.ray_replicas

The bundled model on the CPU. Runs are taken in turn, as other work on the machine comes and goes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.layout.sources import ROOT

OPTIONS = ("max_model_len=512", "max_num_seqs=64", "enforce_eager=true")


def rate(replicas: int, rows: int) -> float:
    """Rows a second, from the first answer of a run to its last."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = (json.dumps({"text": f"order {number} arrived broken"}) for number in range(rows))
        (folder / "in.jsonl").write_text("\n".join(lines) + "\n")
        words = ["-m", str(ROOT / "samples/model"), "-p", "{{ text }}", "--max-tokens", "20"]
        words += ["-o", str(folder / "out.jsonl"), "--report", str(folder / "report.json")]
        words += ["--engine", "ray", "--replicas", str(replicas)]
        words += [word for option in OPTIONS for word in ("--engine-arg", option)]
        env = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1"}
        if replicas == 1:  # it would take all cores of the node; two divide them
            env |= {"VLLM_CPU_OMP_THREADS_BIND": "0", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "llmbatch", "run", str(folder / "in.jsonl"), *words]
        ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if ended.returncode:
            sys.exit(ended.stderr)
        report = json.loads((folder / "report.json").read_text())
        return rows / float(report["last_run"]["generate_seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(given.rounds):
        for replicas, found in rates.items():
            found.append(rate(replicas, given.rows))
    one, two = (statistics.median(rates[replicas]) for replicas in (1, 2))
    print(f"rows/s: one replica {one:.0f}, two {two:.0f}: {two / one:.2f} times; {rates}")


if __name__ == "__main__":
    main()
