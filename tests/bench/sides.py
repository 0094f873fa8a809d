"""The two sides of a comparison: a run of llmbatch, and a life of `LLM.generate`."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from tests.bench import workloads
from tests.bench.measure import Spent, spend

# Exit code 3: some answers were cut off. LLM.generate computes those, too.
_FINISHED = (0, 3)
_BASELINE = Path(__file__).with_name("baseline.py")
_SAMPLE_MODEL = str(workloads.MODEL)

FULL: Mapping[str, int] = {
    "generate": 1500, "run-batch": 1000, "large": 100_000, "table": 1500, "table width": 1,
    "cost": 100_000, "memory": 1_000_000, "kill": 10_000, "kills": 12,
    "tail": 1600, "ordering": 1_000_000, "plan": 1500, "long prompt": 480,
    "plan-cost": 3000, "front-memory": 1500, "front-row": 4000,
    "checkpoints": 100_000, "wide": 100_000,
    "night": 1_000_000,
}  # fmt: skip
QUICK: Mapping[str, int] = {
    "generate": 200, "run-batch": 100, "large": 1000, "table": 300, "table width": 1,
    "cost": 10_000, "memory": 50_000, "kill": 1500, "kills": 4, "tail": 400, "ordering": 50_000,
    "plan": 200, "long prompt": 256,
    "plan-cost": 200, "front-memory": 100, "front-row": 200,
    "checkpoints": 2000, "wide": 1000,
    "night": 2000,
}  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """The folder and the settings of the suite. `sizes`: rows by case, and other amounts."""

    folder: Path
    rounds: int = 3
    sizes: Mapping[str, int] = field(default_factory=lambda: FULL)
    model: str = _SAMPLE_MODEL
    engine: Mapping[str, Any] = field(default_factory=lambda: workloads.ENGINE)
    # The share by which output tokens may differ between two sides that did the same work.
    slack: float = 0.0
    # Options of the engine that make its cache too small for all prefixes.
    small_cache: Mapping[str, Any] = field(default_factory=lambda: workloads.SMALL_CACHE)
    say: Callable[[str], None] = lambda line: print(line, flush=True)

    def with_engine(self, **options: Any) -> "Bench":
        return replace(self, engine={**self.engine, **options})


@dataclass(frozen=True)
class Ran:
    """A run of llmbatch: its report, its output file, what the process took."""

    report: dict[str, Any]
    output: Path
    spent: Spent

    @property
    def last(self) -> dict[str, Any]:
        figures: dict[str, Any] = self.report["last_run"]
        return figures

    @property
    def state(self) -> Path:
        return self.output.with_suffix(".llmbatch")

    def planned(self) -> list[Any]:
        """The requests of the run in the planned order, each a list of (role, content)."""
        query = "SELECT messages FROM requests ORDER BY position"
        with duckdb.connect(str(self.state / "job.duckdb"), read_only=True) as connection:
            return [json.loads(messages) for (messages,) in connection.execute(query).fetchall()]


def llmbatch(
    bench: Bench,
    name: str,
    source: Path,
    prompt: str,
    max_tokens: int | None,
    *flags: str,
    memory: bool = False,
) -> Ran:
    """One run of llmbatch in a state of its own, under `name` in the suite's folder."""
    output = bench.folder / f"{name}.jsonl"
    command = [sys.executable, "-m", "llmbatch", "run", str(source), "-o", str(output)]
    command += ["-m", bench.model, "-p", prompt, "--quiet"]
    command += [] if max_tokens is None else ["--max-tokens", str(max_tokens)]
    # What is cut off is not tried again with more tokens: the other side does not do that.
    # A model of dummy weights may fail for one reason only.
    command += ["--attempts", "1", "--fail-fast", "off", *flags]
    for option, value in bench.engine.items():
        command += ["--engine-arg", f"{option}={json.dumps(value)}"]
    log = bench.folder / f"{name}.log"
    spent = spend(command, log, fine=_FINISHED, memory=memory)
    report = json.loads(output.with_suffix(".llmbatch").joinpath("report.json").read_bytes())
    return Ran(report, output, spent)


@dataclass(frozen=True)
class Variant:
    """One thing that a baseline process measures. `chunk`: requests for each `generate`; `choice`:
    the allowed answers, which are then among the figures (`answers`)."""

    requests: Sequence[Any]
    max_tokens: int
    chunk: int | None = None
    choice: Sequence[str] | None = None


def generate(
    bench: Bench, name: str, variants: Mapping[str, Variant], **variables: str
) -> dict[str, dict[str, Any]]:
    """Figures by variant, measured in their order in one life of `LLM.generate`'s engine."""
    result = bench.folder / f"{name}.result"
    described = {}
    for number, (key, variant) in enumerate(variants.items()):
        path = bench.folder / f"{name}.{number}.requests"
        path.write_text(json.dumps(variant.requests))
        described[key] = {
            "requests": str(path),
            "max_tokens": variant.max_tokens,
            "chunk": variant.chunk,
            "choice": variant.choice,
        }
    task = {"model": bench.model, "engine": dict(bench.engine), "variants": described}
    command = [sys.executable, str(_BASELINE), str(result)]
    log = bench.folder / f"{name}.log"
    spend(command, log, stdin=json.dumps(task), variables=variables)
    found: dict[str, dict[str, Any]] = json.loads(result.read_text())
    return found


def rate(figures: Mapping[str, Any], amount: str) -> float:
    """`amount` a second of generation, of either side's figures."""
    seconds: float = figures.get("generate_seconds") or figures["seconds"]
    return float(figures[amount]) / seconds
