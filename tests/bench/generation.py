"""The generation phase against `LLM.generate`: everything at once, in chunks, with duplicates."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tests.bench import workloads
from tests.bench.findings import Finding, at_least, compared
from tests.bench.measure import CommandError
from tests.bench.sides import Bench, Ran, Variant, generate, llmbatch, rate

CASES = ("generate", "chunks", "duplicates")
CHUNK = 128

Figures = Mapping[str, Any]
Round = tuple[Mapping[str, Ran], Mapping[str, Figures]]


def run(bench: Bench, wanted: Collection[str]) -> list[Finding]:
    """The cases among `wanted`; they share rounds, and one life of the baseline in each."""
    rows = bench.sizes["generate"]
    sources = {
        "distinct": workloads.write_rows(bench.folder / "replies.jsonl", workloads.replies(rows)),
        "repeated": workloads.write_rows(bench.folder / "dup.jsonl", workloads.duplicates(rows)),
    }
    needed = [name for name in sources if _cases_of(name) & set(wanted)]
    planned: list[Any] = []
    rounds: list[Round] = []
    for number in range(bench.rounds):
        rounds.append(_round(bench, number, {name: sources[name] for name in needed}, planned))
        _tell(bench, number, rounds[-1])
    return [_FINDINGS[case](rounds) for case in CASES if case in wanted]


def _cases_of(source: str) -> set[str]:
    return {"duplicates"} if source == "repeated" else {"generate", "chunks"}


def _round(bench: Bench, number: int, sources: Mapping[str, Path], planned: list[Any]) -> Round:
    """A B in even rounds, B A in odd ones; the baseline needs the planned order of the first."""
    ours: dict[str, Ran] = {}
    theirs: dict[str, Figures] = {}

    def run_ours() -> None:
        for name, source in sources.items():
            label = f"{name}{number}"
            ours[name] = llmbatch(bench, label, source, workloads.REPLY, workloads.MAX_TOKENS)
        if not planned and "distinct" in ours:
            planned.extend(ours["distinct"].planned())

    def run_theirs() -> None:
        theirs.update(
            generate(bench, f"baseline{number}", _variants(bench, number, planned, sources))
        )

    for side in (run_ours, run_theirs) if number % 2 == 0 else (run_theirs, run_ours):
        side()
    _check_same_work(bench, ours, theirs)
    return ours, theirs


def _variants(
    bench: Bench, number: int, planned: list[Any], sources: Mapping[str, Path]
) -> dict[str, Variant]:
    """The measurements of the baseline; each round begins with another one, before all is warm."""
    variants = {}
    if "distinct" in sources:
        variants["at once"] = Variant(planned, workloads.MAX_TOKENS)
        variants["in chunks"] = Variant(planned, workloads.MAX_TOKENS, CHUNK)
    if "repeated" in sources:
        rows = workloads.duplicates(bench.sizes["generate"])
        everything = workloads.messages_of(workloads.REPLY, rows)
        variants["repeated"] = Variant(everything, workloads.MAX_TOKENS)
    names = list(variants)
    turn = number % len(names)
    return {name: variants[name] for name in names[turn:] + names[:turn]}


def _check_same_work(bench: Bench, ours: Mapping[str, Ran], theirs: Mapping[str, Figures]) -> None:
    if "distinct" not in ours:
        return
    tokens = {ours["distinct"].last["output_tokens"]}
    tokens |= {theirs[name]["output_tokens"] for name in ("at once", "in chunks")}
    if max(tokens) > min(tokens) * (1 + bench.slack):
        raise CommandError(f"not the same work: {sorted(tokens)} output tokens")


def _tell(bench: Bench, number: int, done: Round) -> None:
    ours, theirs = done
    seconds = [
        f"llmbatch {name} {ran.last['generate_seconds']:.2f} s" for name, ran in ours.items()
    ]
    seconds += [
        f"LLM.generate {name} {figures['seconds']:.2f} s" for name, figures in theirs.items()
    ]
    bench.say(f"  round {number + 1}: " + ", ".join(seconds))


def _tokens_of(rounds: list[Round], variant: str) -> list[tuple[float, float]]:
    return [
        (rate(ours["distinct"].last, "output_tokens"), rate(theirs[variant], "output_tokens"))
        for ours, theirs in rounds
    ]


def _steps(rounds: list[Round], variant: str) -> str:
    ours, theirs = rounds[-1]
    last = ours["distinct"].last
    return (
        f"engine steps: llmbatch {last['steps']:,} ({last['starved_steps']:,} of them with room "
        f"while rows were left), LLM.generate {theirs[variant]['steps']:,}"
    )


def at_once(rounds: list[Round]) -> Finding:
    ours, _ = rounds[-1]
    last = ours["distinct"].last
    what = (
        f"generation of {last['rows']:,} rows, {last['output_tokens']:,} tokens, checkpoints on, "
        "against LLM.generate on all at once"
    )
    return compared(
        "generate",
        what,
        "tokens/s",
        _tokens_of(rounds, "at once"),
        at_least(0.98),
        [
            _steps(rounds, "at once"),
            f"llmbatch: engine idle {last['idle_seconds']:.2f} s, checkpoints "
            f"{last['checkpoint_seconds']:.2f} s of {last['generate_seconds']:.2f} s",
        ],
    )


def in_chunks(rounds: list[Round]) -> Finding:
    pairs = _tokens_of(rounds, "in chunks")
    what = f"the same against LLM.generate on {CHUNK} after {CHUNK}"
    notes = [_steps(rounds, "in chunks")]
    return compared("chunks", what, "tokens/s", pairs, at_least(1.2), notes)


def repeated(rounds: list[Round]) -> Finding:
    pairs = []
    for ours, theirs in rounds:
        last = ours["repeated"].last
        rows = theirs["repeated"]["requests"]
        pairs.append((rows / last["generate_seconds"], rate(theirs["repeated"], "requests")))
    report = rounds[-1][0]["repeated"].report
    saved = report["rows_in"] - report["requests"]
    what = f"{saved:,} of {rows:,} rows are duplicates, against LLM.generate on all"
    limit = f"{rows / (rows - saved):.2f} is the limit if nothing else differed"
    return compared("duplicates", what, "rows/s", pairs, at_least(1.35), [limit])


_FINDINGS = {"generate": at_once, "chunks": in_chunks, "duplicates": repeated}
