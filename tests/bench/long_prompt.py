"""A long system prompt that all rows share: the engine steps of short answers to it.

Steps are counted, not timed: one round is enough. The baseline gets all rows at once, so its
engine is never short of them; blocks of the cache are equally large on all sides.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tests.bench import earlier, workloads
from tests.bench.earlier import THIS, Build
from tests.bench.findings import Finding, at_most, compared
from tests.bench.measure import CommandError
from tests.bench.sides import Bench, Variant, generate

CASES = ("long prompt",)
TOKENS, MAX_TOKENS = 1090, 4
# Without weights an answer is as long as it may be: each row takes four steps.
# What is new in a wave of prompts fits into a step; the cache holds what is shared once, and all
# that is new, several times over: nothing but the feed can leave the engine short of rows.
ENGINE: Mapping[str, Any] = {
    "load_format": "dummy",
    "max_num_seqs": 128,
    "max_model_len": 2048,
    "hf_overrides": {"max_position_embeddings": 2048},
    "num_gpu_blocks_override": 1024,
}
_FINISHED = (0, 3)


def run(bench: Bench, wanted: Collection[str]) -> list[Finding]:
    """llmbatch, the build before, and `LLM.generate` on all rows in the same order."""
    if "long prompt" not in wanted:
        return []
    bench = bench.with_engine(**ENGINE)
    system = instructions()
    rows = list(workloads.replies(bench.sizes["long prompt"]))
    source = workloads.write_rows(bench.folder / "long-prompt.jsonl", iter(rows))
    before = earlier.earlier(bench.folder)
    ours, theirs = (_llmbatch(bench, build, source, system) for build in (THIS, before))
    texts = [workloads.prompt_of(workloads.REPLY, row) for row in rows]
    chats = [[["system", system], ["user", text]] for text in texts]
    variants = {"at once": Variant(chats, MAX_TOKENS)}
    peer = generate(bench, "long-prompt-baseline", variants)["at once"]
    if len({side["output_tokens"] for side in (ours, theirs, peer)}) > 1:
        raise CommandError("not the same work: the sides differ in their output tokens")
    for name, side in (("this build", ours), ("the build before", theirs), ("LLM.generate", peer)):
        bench.say(f"  {name}: {side['steps']} steps, {side['output_tokens']:,} output tokens")
    return [finding(ours, theirs, peer)]


def instructions() -> str:
    """A system prompt of about `TOKENS` tokens."""
    from tokenizers import Tokenizer

    texts = " ".join(ticket["text"] for ticket in workloads.tickets())
    text = f"Write a short reply to the customer. Earlier ones wrote: {texts}"
    tokens = Tokenizer.from_file(str(workloads.MODEL / "tokenizer.json")).encode(text)
    return text[: tokens.offsets[TOKENS][0]]


def _llmbatch(bench: Bench, build: Build, source: Path, system: str) -> dict[str, Any]:
    """The figures of a run of a build."""
    output = bench.folder / f"long-prompt-{build.name}.jsonl"
    command = ["run", str(source), "-o", str(output), "-m", bench.model, "-p", workloads.REPLY]
    command += ["--system", system, "--max-tokens", str(MAX_TOKENS), "--quiet"]
    command += ["--attempts", "1", "--fail-fast", "off"]
    for option, value in bench.engine.items():
        command += ["--engine-arg", f"{option}={json.dumps(value)}"]
    build.spend(command, bench.folder, fine=_FINISHED)
    report = json.loads(output.with_suffix(".llmbatch").joinpath("report.json").read_bytes())
    last: dict[str, Any] = report["last_run"]
    return last


def fewest_steps(rows: int) -> int:
    """The steps without a single place left free between two answers, of any order or window."""
    places: int = ENGINE["max_num_seqs"]
    return -(-rows // places) * MAX_TOKENS


def finding(ours: Mapping[str, Any], before: Mapping[str, Any], peer: Mapping[str, Any]) -> Finding:
    what = (
        f"engine steps of {peer['requests']:,} rows that share a long system prompt "
        f"({peer['cached_tokens'] / peer['prompt_tokens']:.0%} of all prompt tokens), against "
        "LLM.generate on all at once"
    )
    notes = [
        f"steps with room while rows were left: {ours['starved_steps']}; the build before took "
        f"{before['steps']} steps, {before['starved_steps']} of them with room",
        f"output tokens: llmbatch {ours['output_tokens']:,}, "
        f"LLM.generate {peer['output_tokens']:,}",
        f"at the very least {fewest_steps(peer['requests'])} steps: an answer takes {MAX_TOKENS} "
        f"of them in one of {ENGINE['max_num_seqs']} places, and a place takes whole answers",
    ]
    pairs = [(ours["steps"], peer["steps"])]
    return compared("long prompt", what, "steps", pairs, at_most(1.0), notes)
