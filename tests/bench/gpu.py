"""`gpu.sh`: the suite on a GPU, with a model of the shape of Qwen3-8B and dummy weights.

What is computed does not depend on the values of the weights, so none have to be brought. The
same code runs with a tiny shape on the CPU (`--device cpu`): that shows that it works, and its
figures mean nothing.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from llmbatch.sizing import roofline
from llmbatch.sizing.dimensions import Shape
from llmbatch.sizing.roofline import Ceilings, Load
from tests.bench import suite, workloads
from tests.bench.findings import Finding, at_least, compared, measured
from tests.bench.roofline import config_of
from tests.bench.sides import Bench, Ran, Variant, generate, llmbatch, rate
from tests.bench.table import Results, notes_of, rows_of

# The vocabulary is that of the sample model's tokenizer.
QWEN3_8B = Shape(36, 4096, 32, 8, 128, 12_288, vocabulary=1280)
TINY = Shape(2, 128, 4, 2, 32, 256, vocabulary=1280)
CASES = ("roofline", "generate", "chunks", "duplicates", "table")
GPU_ENGINE = {
    "load_format": "dummy",
    "max_num_seqs": 256,
    "max_num_batched_tokens": 8192,
    "max_model_len": 4096,
    "gpu_memory_utilization": 0.9,
    "enable_prefix_caching": True,
}
CPU_ENGINE = workloads.ENGINE | {"load_format": "dummy", "max_model_len": 1024}
GPU_SIZES = {"generate": 2000, "table": 2000, "table width": 8}
CPU_SIZES = {"generate": 40, "table": 40, "table width": 1}


@dataclass(frozen=True)
class Work:
    """Requests of one kind: how many, how long their prompts and their answers, in tokens."""

    rows: int
    prompt: int
    output: int

    def __str__(self) -> str:
        return f"{self.prompt:,} in, {self.output:,} out"


GPU_WORK = (Work(1536, 1024, 16), Work(1024, 512, 512), Work(768, 128, 1024))
CPU_WORK = (Work(24, 128, 4), Work(24, 64, 32))


def make_model(folder: Path, shape: Shape) -> Path:
    """A model without weights: the sample model's tokenizer and template, a configuration."""
    folder.mkdir(exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(workloads.MODEL / name, folder / name)
    base = json.loads((workloads.MODEL / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config_of(shape, base), indent=2))
    return folder


def prompts(work: Work) -> Iterator[workloads.Row]:
    """Rows whose requests have about so many tokens and differ from the first word on."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(workloads.MODEL / "tokenizer.json"))
    words = " ".join(ticket["text"] for ticket in workloads.tickets()).split()
    sample = words[:2000]
    per_word = len(tokenizer.encode(" ".join(sample)).ids) / len(sample)
    count = max(1, round(work.prompt / per_word))
    for number in range(work.rows):
        start = number * 37 % (len(words) - count)
        yield {"id": str(number), "text": f"{number} {' '.join(words[start : start + count])}"}


def at_the_limit(
    bench: Bench, kinds: Sequence[Work], shape: Shape, ceilings: Ceilings
) -> list[Finding]:
    """Each kind of work against LLM.generate, and against what the device could do."""
    sources = {
        work: workloads.write_rows(bench.folder / f"kind{number}.jsonl", prompts(work))
        for number, work in enumerate(kinds)
    }
    rounds: list[tuple[dict[Work, Ran], dict[str, dict[str, Any]]]] = []
    for number in range(bench.rounds):
        ours = _ours(bench, number, sources) if number % 2 == 0 else {}
        order = ours or rounds[0][0]
        variants = {str(work): Variant(order[work].planned(), work.output) for work in kinds}
        theirs = generate(bench, f"limit-baseline{number}", variants)
        rounds.append((ours or _ours(bench, number, sources), theirs))
    findings: list[Finding] = []
    for work in kinds:
        pairs = [
            (rate(ours[work].last, "output_tokens"), rate(theirs[str(work)], "output_tokens"))
            for ours, theirs in rounds
        ]
        what = f"{work}: {work.rows:,} rows, against LLM.generate on all at once"
        findings.append(compared("roofline", what, "tokens/s", pairs, at_least(0.98)))
        last = [ours[work].last for ours, _ in rounds]
        shares = [share(figures, shape, bench.engine["max_num_seqs"], ceilings) for figures in last]
        what = f"{work}: share of the serial roofline"
        findings.append(measured("roofline", what, "%", shares, None, [_load_of(last[-1])]))
    return findings


def _ours(bench: Bench, number: int, sources: Mapping[Work, Path]) -> dict[Work, Ran]:
    found = {}
    for place, (work, source) in enumerate(sources.items()):
        name = f"limit{number}-{place}"
        found[work] = llmbatch(bench, name, source, "{{ text }}", work.output)
        bench.say(f"  {work}: {rate(found[work].last, 'output_tokens'):,.0f} output tokens/s")
    return found


def share(figures: Mapping[str, Any], shape: Shape, at_once: int, ceilings: Ceilings) -> float:
    """Of the roofline's speed, in percent."""
    requests = figures["requests"]
    load = load_of(figures)
    least = roofline.seconds(shape, load, min(at_once, requests), ceilings) * requests
    return float(least / figures["generate_seconds"] * 100)


def load_of(figures: Mapping[str, Any]) -> Load:
    names = ("prompt_tokens", "cached_tokens", "output_tokens")
    return Load(*(figures[name] / figures["requests"] for name in names))


def _load_of(figures: Mapping[str, Any]) -> str:
    load = load_of(figures)
    return (
        f"the average request: {load.prompt:.0f} tokens, {load.cached:.0f} of them cached, "
        f"{load.output:.0f} answered"
    )


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), metavar="NAME")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--operations", type=float, default=790e12, help="a second; 790e12: an H200, bf16"
    )
    parser.add_argument(
        "--bandwidth", type=float, default=4.3e12, help="bytes a second; 4.3e12: an H200"
    )
    parser.add_argument("--write", action="store_true", help="into RESULTS-gpu.md")
    return parser


def bench_of(device: str, folder: Path, rounds: int) -> tuple[Bench, Shape, Sequence[Work]]:
    """The suite's settings for a device, and a model made for it."""
    on_gpu = device == "cuda"
    shape = QWEN3_8B if on_gpu else TINY
    bench = Bench(
        folder,
        rounds,
        GPU_SIZES if on_gpu else CPU_SIZES,
        str(make_model(folder / "model", shape)),
        GPU_ENGINE if on_gpu else CPU_ENGINE,
        # A GPU adds numbers in another order from batch to batch, which may end an answer sooner.
        slack=0.02 if on_gpu else 0.0,
        small_cache={},
    )
    return bench, shape, GPU_WORK if on_gpu else CPU_WORK


def main(arguments: Sequence[str] | None = None) -> None:
    parser = options()
    given = parser.parse_args(arguments)
    if given.write and given.device == "cpu":
        parser.error("the figures of a tiny model on the CPU mean nothing: leave out --write")
    ceilings = Ceilings(given.operations, given.bandwidth)
    with tempfile.TemporaryDirectory(prefix="llmbatch-gpu-") as folder:
        bench, shape, kinds = bench_of(given.device, Path(folder), given.rounds)

        def limit(bench: Bench, wanted: Collection[str]) -> list[Finding]:
            return at_the_limit(bench, kinds, shape, ceilings)

        group: Callable[[Bench, Collection[str]], list[Finding]] = limit
        findings, problems = suite.measure(bench, given.only, ((CASES[:1], group), *suite.GROUPS))
    print("\n".join(["", *rows_of(findings), "", *notes_of(findings)]))
    if given.write:
        results = Results(Path(__file__).parent, "RESULTS-gpu")
        told = sys.argv[1:] if arguments is None else arguments
        told = [word for word in told if word not in ("--device", "cuda", "--write")]
        results.put(findings, suite.command_of("sh tests/bench/gpu.sh", told, given.rounds))
        results.write(CASES)
    suite.leave(problems)


if __name__ == "__main__":
    main()
