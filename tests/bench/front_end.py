"""The cost of llmbatch's own process: a plan, memory beside vLLM, the processor time of a row.

A plan and the time of a row are compared with the build before, memory with `vllm run-batch`.
"""

import json
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from tests.bench import batch, workloads
from tests.bench.earlier import THIS, Build, earlier, in_turn
from tests.bench.findings import Finding, at_most, compared, measured
from tests.bench.measure import MIB, spend
from tests.bench.sides import Bench

CASES = ("plan-cost", "front-memory", "front-row")
OUTPUT_TOKENS = 16
# Exit code 3: some answers were cut off.
_FINISHED = (0, 3)
# The runs whose difference is the cost of rows: this part of the rows, and all.
_FEW = 0.2
_BARE_CLIENT = "tests.bench.bare_client"
_WAYS_OF_VLLM = {
    "client": "of vLLM's own client alone, prompts encoded before, texts as answers",
    "messages": "of vLLM's messages alone, without its own work on them",
}


def run(bench: Bench, wanted: Collection[str]) -> list[Finding]:
    """The cases among `wanted`."""
    return [found for case in CASES if case in wanted for found in _RUNS[case](bench)]


def _plan_cost(bench: Bench) -> Iterator[Finding]:
    """Of the second and later plans of each build: the first one makes its bytecode."""
    rows, before = bench.sizes["plan-cost"], earlier(bench.folder)
    source = workloads.write_rows(bench.folder / "plan-cost.jsonl", workloads.replies(rows))
    arguments = ["plan", str(source), "-m", bench.model, "-p", workloads.REPLY, "-o", "p.jsonl"]

    def seconds(build: Build) -> float:
        return build.spend(arguments, bench.folder).cpu_seconds

    for build in (THIS, before):
        build.spend(arguments, bench.folder)
    pairs = in_turn(bench.rounds, lambda: seconds(THIS), lambda: seconds(before))
    what = f"`plan` of {rows:,} rows against the build before: processor time"
    note = (
        "the build before imports transformers, and torch with it, for a tokenizer; what is left "
        "is half imports (DuckDB, PyArrow, pydantic), and then tokens, templates and the store"
    )
    yield compared("plan-cost", what, "s", pairs, at_most(0.25), [note])


def _front_memory(bench: Bench) -> Iterator[Finding]:
    rows = bench.sizes["front-memory"]
    rounds = [
        batch.both(bench, f"front{number}", rows, workloads.REPLY, ours_first=number % 2 == 0)
        for number in range(bench.rounds)
    ]
    more = [(ours.spent.front_bytes - other.spent.front_bytes) / MIB for ours, other in rounds]
    what = f"{rows:,} requests: peak of the front end, beyond that of vllm run-batch"
    last, other = (side.spent.front_bytes / MIB for side in rounds[-1])
    notes = [
        f"{last:,.0f} MiB against {other:,.0f}. What llmbatch has beyond vLLM's imports, when it "
        "was looked at: 53 MiB of DuckDB's code and 34 of Arrow's, as far as they were read (of "
        "files, which the kernel can drop), some 35 of its own modules, and the store's and the "
        "plan's working memory"
    ]
    yield measured("front-memory", what, "MiB", more, at_most(50, " MiB"), notes)


def _front_row(bench: Bench) -> Iterator[Finding]:
    before, most = earlier(bench.folder), bench.sizes["front-row"]
    few = round(most * _FEW)
    sources = {
        rows: workloads.write_rows(bench.folder / f"row{rows}.jsonl", workloads.replies(rows))
        for rows in (few, most)
    }
    numbers = iter(range(1 << 20))

    def cost(build: Build) -> float:
        """Milliseconds of one row: all that grows with the rows, from reading to the output."""
        spent = [_own_seconds(bench, build, path, next(numbers)) for path in sources.values()]
        return 1000 * (spent[1] - spent[0]) / (most - few)

    pairs = in_turn(bench.rounds, lambda: cost(THIS), lambda: cost(before))
    what = f"front-end processor time of a row, {OUTPUT_TOKENS} output tokens, real vLLM"
    note = (
        f"the process's own seconds with {most:,} rows less those with {few:,}, for each row more: "
        "reading, planning, tokens, vLLM's messages, checks, the store and the output"
    )
    mine = [ours for ours, _ in pairs]
    yield measured("front-row", what, "ms", mine, at_most(0.25, " ms"), [note])
    yield compared("front-row", f"{what}, against the build before", "ms", pairs, at_most(1.0))
    rounds = [_of_vllm(bench, (few, most), number) for number in range(bench.rounds)]
    for way, meaning in _WAYS_OF_VLLM.items():
        found = [costs[way] for costs in rounds]
        yield measured("front-row", f"{what}: {meaning}", "ms", found, None)


def _of_vllm(bench: Bench, counts: tuple[int, int], number: int) -> dict[str, float]:
    """Milliseconds of one request by vLLM's own client, for each way of `bare_client`."""
    few, most = counts
    chats = workloads.messages_of(workloads.REPLY, workloads.replies(most))
    requests, result = bench.folder / "client.requests", bench.folder / f"client{number}.result"
    requests.write_text(json.dumps(chats))
    task = {
        "model": bench.model,
        "engine": dict(bench.engine),
        "max_tokens": OUTPUT_TOKENS,
        "requests": str(requests),
        "counts": counts,
    }
    command = [sys.executable, "-m", _BARE_CLIENT, str(result)]
    spend(command, bench.folder / "client.log", stdin=json.dumps(task))
    seconds = json.loads(result.read_text())
    return {
        way: 1000 * (spent[str(most)] - spent[str(few)]) / (most - few)
        for way, spent in seconds.items()
    }


def _own_seconds(bench: Bench, build: Build, source: Path, number: int) -> float:
    output = bench.folder / f"{build.name}{number}.jsonl"
    arguments = ["run", str(source), "-o", str(output), "-m", bench.model, "-p", workloads.REPLY]
    arguments += ["--max-tokens", str(OUTPUT_TOKENS), "--quiet", "--attempts", "1"]
    arguments += ["--fail-fast", "off"]
    for option, value in bench.engine.items():
        arguments += ["--engine-arg", f"{option}={json.dumps(value)}"]
    return build.spend(arguments, bench.folder, fine=_FINISHED).own_seconds


_RUNS = {"plan-cost": _plan_cost, "front-memory": _front_memory, "front-row": _front_row}
