"""Rows a second: two replicas of vLLM, a core each, against one on a core and one on two.

    python -m tests.bench.replicas

The bundled model on the CPU. Runs are taken in turn, as other work on the machine comes and goes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.layout.sources import ROOT

OPTIONS = ("max_model_len=512", "max_num_seqs=64", "enforce_eager=true")
# The lists of cores, and the flags of the run.
WAYS = {
    "one engine on one core": ("0", ()),
    "one engine on two cores": ("0,1", ()),
    "two replicas on two cores": ("0|1", ("--replicas", "2")),
}


def rate(flags: Sequence[str], variables: Mapping[str, str], rows: int) -> float:
    """Rows a second of a run of the bundled model with these flags and variables of the
    environment, from its first answer to its last."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = (json.dumps({"text": f"order {number} arrived broken"}) for number in range(rows))
        (folder / "in.jsonl").write_text("\n".join(lines) + "\n")
        words = ["-m", str(ROOT / "samples/model"), "-p", "{{ text }}", "--max-tokens", "20"]
        words += ["-o", str(folder / "out.jsonl"), "--report", str(folder / "report.json"), *flags]
        words += [word for option in OPTIONS for word in ("--engine-arg", option)]
        env = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", **variables}
        command = [sys.executable, "-m", "llmbatch", "run", str(folder / "in.jsonl"), *words]
        ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if ended.returncode:
            sys.exit(ended.stderr)
        report = json.loads((folder / "report.json").read_text())
        return rows / float(report["last_run"]["generate_seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(given.rounds):
        for way, (cores, flags) in WAYS.items():
            variables = {"VLLM_CPU_OMP_THREADS_BIND": cores}
            rates[way].append(rate(flags, variables, given.rows))
            print(f"{way}: {rates[way][-1]:.0f} rows/s", flush=True)
    medians = {way: statistics.median(found) for way, found in rates.items()}
    one = medians["one engine on one core"]
    for way, found in medians.items():
        print(f"{way}: median {found:.0f} rows/s, {found / one:.2f} times one core")


if __name__ == "__main__":
    main()
