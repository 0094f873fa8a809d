"""A table with shared fields and a small cache: what the planned order is worth."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tests.bench import workloads
from tests.bench.findings import Finding, at_least, at_most, compared, figure, measured
from tests.bench.sides import Bench, Ran, Variant, generate, llmbatch, rate

CASES = ("table",)
# One token or two: the label. What counts here is the prompt.
MAX_TOKENS = 4

Round = tuple[Ran, Mapping[str, Any]]


def run(bench: Bench, wanted: Collection[str]) -> list[Finding]:
    """llmbatch in its planned order, LLM.generate in that of the input."""
    if "table" not in wanted:
        return []
    bench = bench.with_engine(**bench.small_cache)
    rows = bench.sizes["table"]
    width = bench.sizes["table width"]
    table = list(workloads.shared_fields(rows, width))
    source = workloads.write_rows(bench.folder / "table.in.jsonl", iter(table))
    requests = workloads.messages_of(workloads.RECORD, iter(table))
    rounds: list[Round] = []
    for number in range(bench.rounds):
        rounds.append(_round(bench, number, source, requests))
        ours, theirs = rounds[-1]
        bench.say(
            f"  round {number + 1}: llmbatch {ours.last['generate_seconds']:.2f} s with "
            f"{_hits(ours.last):.1%} of tokens from the cache, "
            f"LLM.generate {theirs['seconds']:.2f} s with {_hits(theirs):.1%}"
        )
    cache = "a small cache" if bench.small_cache else "the default cache"
    what = f"{rows:,} rows of six fields, {cache}, against the input's order in LLM.generate"
    return _findings(rounds, rows, what)


def _round(bench: Bench, number: int, source: Path, requests: list[Any]) -> Round:
    def ours() -> Ran:
        return llmbatch(bench, f"table{number}", source, workloads.RECORD, MAX_TOKENS)

    def theirs() -> Mapping[str, Any]:
        variants = {"input order": Variant(requests, MAX_TOKENS)}
        return generate(bench, f"table-baseline{number}", variants)["input order"]

    if number % 2 == 0:
        return ours(), theirs()
    figures = theirs()
    return ours(), figures


def _hits(figures: Mapping[str, Any]) -> float:
    """The share of the prompts' tokens that the prefix cache served."""
    return float(figures["cached_tokens"] / figures["prompt_tokens"])


def _findings(rounds: list[Round], rows: int, what: str) -> list[Finding]:
    pairs = [
        (rows / ours.last["generate_seconds"], rate(theirs, "requests")) for ours, theirs in rounds
    ]
    ours, theirs = rounds[-1]
    notes = [
        f"tokens from the cache: llmbatch {_hits(ours.last):.1%}, LLM.generate {_hits(theirs):.1%}",
        f"output tokens: llmbatch {ours.last['output_tokens']:,}, "
        f"LLM.generate {theirs['output_tokens']:,}",
    ]
    predicted = forecast_of(ours.report)
    if predicted is None:
        notes.append("the run made no forecast of its cache hits")
    findings = [compared("table", what, "rows/s", pairs, at_least(2.0), notes)]
    return [*findings, _forecast(rounds, predicted)] if predicted is not None else findings


def forecast_of(report: Mapping[str, Any]) -> float | None:
    """The hits that were expected of the last run, as a share of the prompts' tokens."""
    forecast = report["runs"][-1]["forecast"]
    return None if not forecast else float(forecast["hits"])


def _forecast(rounds: list[Round], predicted: float) -> Finding:
    off = [abs(_hits(ours.last) - predicted) / predicted * 100 for ours, _ in rounds]
    notes = [f"predicted {predicted:.1%}, measured {figure(_hits(rounds[-1][0].last) * 100)}%"]
    what = "cache hits, measured against predicted: off by"
    return measured("table", what, "%", off, at_most(5.0, " %"), notes)
