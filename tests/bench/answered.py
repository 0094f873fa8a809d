"""Batch files on the real engine: killed and gone on with, and against `vllm run-batch`.

`resume` answers a file undisturbed, and once more with three kills between; all lines must be
equal, but for the cached tokens, of which a new engine has none. `compare` answers a file by both
programs: equal answers where both answer, and the ratio of their times, the whole process each.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests import batch_file
from tests.bench.batch import MODULE
from tests.bench.measure import ROOT, CommandError, Spent, environment, spend

MODEL = str(ROOT / "samples" / "model")
SETTINGS: Mapping[str, Any] = {
    "max_model_len": 512,
    "max_num_seqs": 64,
    "enforce_eager": True,
    # vLLM takes seeds on a CPU only so.
    "enable_chunked_prefill": False,
}
# As llmbatch sets it: the same grammars on both sides.
_GRAMMARS = '{"backend":"xgrammar","disable_any_whitespace":true}'
_KILLS = (0.2, 0.5, 0.8)
"""The shares of the rows after which a run is killed."""

Lines = dict[str, dict[str, Any]]


def _command(source: Path, output: Path) -> list[str]:
    options = [part for item in SETTINGS.items() for part in ("--engine-arg", _pair(*item))]
    named = ["run", str(source), "-m", MODEL, "-o", str(output)]
    return [sys.executable, "-m", "llmbatch", *named, *options]


def _pair(name: str, value: Any) -> str:
    return f"{name}={str(value).lower() if isinstance(value, bool) else value}"


def _lines(path: Path) -> Lines:
    return {one["custom_id"]: one for one in map(json.loads, path.open(encoding="utf-8"))}


def resume(folder: Path, rows: int) -> int:
    """Answer a file with and without kills; returns the number of lines that differ."""
    source = batch_file.write(folder / "in.jsonl", rows, "model")
    whole, killed = folder / "whole.jsonl", folder / "killed.jsonl"
    spent = spend(_command(source, whole), folder / "whole.log")
    print(f"undisturbed: {rows:,} rows in {spent.seconds:.1f} s", flush=True)
    for share in _KILLS:
        done = _killed_at(_command(source, killed), killed, round(share * rows))
        print(f"killed after {done:,} rows", flush=True)
    spend(_command(source, killed), folder / "killed.log")
    one, other = (_without_cached(_lines(path)) for path in (whole, killed))
    differing = [name for name in one if one[name] != other.get(name)]
    equal_order = list(one) == list(other)
    print(f"{len(one):,} lines: {len(differing)} differ; the order is equal: {equal_order}")
    return len(differing) + (not equal_order)


def _killed_at(command: list[str], output: Path, rows: int) -> int:
    """Start a run, and end it and all its processes once it has so many rows; returns how many it
    had."""
    status = output.with_suffix(".llmbatch") / "status.json"
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(
        command, env=environment(), stdout=nowhere, stderr=nowhere, start_new_session=True
    )
    done = 0
    while done < rows:
        if process.poll() is not None:
            raise CommandError(f"ended before it could be killed: exit code {process.returncode}")
        time.sleep(0.02)
        done = _rows_done(status, process.pid)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return done


def _rows_done(status: Path, pid: int) -> int:
    try:
        found = json.loads(status.read_bytes())
    except (OSError, ValueError):
        return 0
    progress = found.get("progress") if found.get("pid") == pid else None
    return int((progress or {}).get("rows_done", 0))


def _without_cached(lines: Lines) -> Lines:
    for line in lines.values():
        usage = line["response"]["body"]["usage"]
        usage.pop("prompt_tokens_details")
    return lines


def compare(folder: Path, rows: int, rounds: int) -> int:
    """Answer a file by both programs; returns the number of answers that differ."""
    source = batch_file.write(folder / "in.jsonl", rows, MODEL, texts=False)
    ratios, differing = [], 0
    for number in range(rounds):
        ours, theirs = folder / f"ours-{number}.jsonl", folder / f"theirs-{number}.jsonl"
        sides = [(_command(source, ours), "llmbatch"), (_run_batch(source, theirs), "run-batch")]
        spent: dict[str, Spent] = {}
        for command, name in sides if number % 2 == 0 else sides[::-1]:
            spent[name] = spend(command, folder / f"{name}-{number}.log")
        seconds = [spent[name].seconds for name in ("llmbatch", "run-batch")]
        ratios.append(seconds[0] / seconds[1])
        print(f"round {number + 1}: llmbatch {seconds[0]:.1f} s, run-batch {seconds[1]:.1f} s")
        differing = _differences(_lines(ours), _lines(theirs))
    print(
        f"{rows:,} rows, whole process: {median(ratios):.3f} of run-batch's time "
        f"({min(ratios):.3f} to {max(ratios):.3f})"
    )
    return differing


def _run_batch(source: Path, output: Path) -> list[str]:
    flags = []
    for name, value in SETTINGS.items():
        flag = name.replace("_", "-")
        is_switch = isinstance(value, bool)
        flags += [f"--{'' if value else 'no-'}{flag}"] if is_switch else [f"--{flag}", str(value)]
    named = ["-i", str(source), "-o", str(output), "--model", MODEL]
    return [sys.executable, "-m", MODULE, *named, *flags, "--structured-outputs-config", _GRAMMARS]


def _differences(ours: Lines, theirs: Lines) -> int:
    """The number of lines that both answer, and not alike; the first ones are shown."""
    answered = [name for name in theirs if (theirs[name]["response"] or {}).get("body")]
    both = [name for name in answered if name in ours]
    differing = [name for name in both if _said(ours[name]) != _said(theirs[name])]
    for name in differing[:10]:
        print(f"  {name}: {_said(ours[name])!r:.150} against {_said(theirs[name])!r:.150}")
    alike = len(both) - len(differing)
    print(
        f"llmbatch answers {len(ours):,}, run-batch {len(answered):,}; of {len(both):,} that both "
        f"answer {alike:,} are equal"
    )
    return len(differing)


def _said(line: Mapping[str, Any]) -> list[tuple[str, str]]:
    choices = line["response"]["body"]["choices"]
    return [(one["message"]["content"], one["finish_reason"]) for one in choices]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("resume", "compare"))
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        if given.what == "resume":
            faults = resume(folder, given.rows)
        else:
            faults = compare(folder, given.rows, given.rounds)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
