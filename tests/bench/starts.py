"""From the start of a command to its first answer: one row, so that nothing else takes long.

The peer is a script of a bare `LLM` with the same options until its first answer; a run of
llmbatch is taken whole, with its output and report, to the end of its processes. What vLLM and the
system keep of earlier starts is there for both.
"""

import json
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tests.bench import workloads
from tests.bench.earlier import THIS, Build, earlier, in_turn
from tests.bench.findings import Finding, at_most, compared
from tests.bench.measure import Spent, spend
from tests.bench.sides import Bench

CASES = ("start", "second start")
_MAX_TOKENS = 4
_BARE = """\
import json, sys, time
from pathlib import Path
from vllm import LLM, SamplingParams
if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    llm = LLM(task["model"], **task["engine"])
    chat = [{"role": "user", "content": task["text"]}]
    llm.chat(chat, SamplingParams(temperature=0, max_tokens=task["max_tokens"]))
    Path(task["answered"]).write_text(str(time.time()))
"""


def run(bench: Bench, wanted: Collection[str]) -> list[Finding]:
    source = workloads.write_rows(bench.folder / "start.in.jsonl", workloads.replies(1))
    _ours(bench, THIS, source)  # what the first start of all keeps for later ones is there
    findings = []
    if "start" in wanted:
        pairs = [
            _told(bench, pair)
            for pair in in_turn(
                bench.rounds, lambda: _ours(bench, THIS, source), lambda: _bare(bench)
            )
        ]
        what = "one row, from the command to its end, against the first answer of a bare LLM()"
        findings.append(compared("start", what, "s", pairs, at_most(0.6), _NOTES))
    if "second start" in wanted:
        before = earlier(bench.folder)
        pairs = in_turn(
            bench.rounds, lambda: _ours(bench, THIS, source), lambda: _ours(bench, before, source)
        )
        what = "a second job on the same model, whole, against the build before"
        pairs = [_told(bench, pair) for pair in pairs]
        findings.append(compared("second start", what, "s", pairs, at_most(0.5), _NOTES))
    return findings


_NOTES = [
    "of a start, most is three imports of vLLM: front end, engine core and worker; the latter two "
    "are one here, beside the first"
]


def _told(bench: Bench, pair: tuple[float, float]) -> tuple[float, float]:
    bench.say(f"  {pair[0]:.1f} s, against {pair[1]:.1f} s")
    return pair


def _ours(bench: Bench, build: Build, source: Path) -> float:
    output = bench.folder / f"start-{build.name}.jsonl"
    command = ["run", str(source), "-o", str(output), "-m", bench.model, "-p", workloads.REPLY]
    command += ["--max-tokens", str(_MAX_TOKENS), "--quiet", "--fresh"]
    command += ["--attempts", "1", "--fail-fast", "off"]
    for option, value in bench.engine.items():
        command += ["--engine-arg", f"{option}={json.dumps(value)}"]
    spent = build.spend(command, bench.folder, fine=(0, 3))
    return _seconds(bench, build.name, spent, spent.seconds)


def _bare(bench: Bench) -> float:
    """Seconds until its first answer."""
    text = workloads.prompt_of(workloads.REPLY, next(iter(workloads.replies(1))))
    script, answered = bench.folder / "bare_start.py", bench.folder / "bare.answered"
    script.write_text(_BARE)
    task: dict[str, Any] = {"model": bench.model, "engine": dict(bench.engine), "text": text}
    task |= {"max_tokens": _MAX_TOKENS, "answered": str(answered)}
    began = time.time()
    spent = spend([sys.executable, str(script), json.dumps(task)], bench.folder / "bare.log")
    return _seconds(bench, "a bare LLM()", spent, float(answered.read_text()) - began)


def _seconds(bench: Bench, name: str, spent: Spent, seconds: float) -> float:
    bench.say(f"  {name}: {seconds:.1f} s; processor time {spent.cpu_seconds:.1f} s")
    return seconds
