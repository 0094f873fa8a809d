"""The cost of a stream of rows: the checkpoints of a fast engine, and the memory of wide rows.

Both beside the build before, in turn. The engine follows a script and answers at once.
"""

import random
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from tests.bench import cost, scale
from tests.bench.cost import PHASES, Costs
from tests.bench.earlier import THIS, Build, earlier, in_turn
from tests.bench.findings import Finding, at_most, compared, measured
from tests.bench.measure import MIB
from tests.bench.sides import Bench

CASES = ("checkpoints", "wide")
COLUMNS = 40
# Characters of a value: 100,000 rows of 40 such columns are 195 MB.
WIDTH = 48
# The rows that show whether memory is flat are so many times as wide, and so many times fewer.
WIDER = 4
_WHY = (
    "rows go into the store's file as they are read; DuckDB keeps what it has written as long as "
    "it has room (380 MB)"
)


def run(bench: Bench, wanted: Collection[str]) -> list[Finding]:
    before = earlier(bench.folder)
    findings = _checkpoints(bench, before) if "checkpoints" in wanted else []
    return findings + (_wide(bench, before) if "wide" in wanted else [])


def _checkpoints(bench: Bench, before: Build) -> list[Finding]:
    rows = bench.sizes["checkpoints"]
    last: dict[str, Costs] = {}

    def microseconds(build: Build) -> Callable[[], float]:
        def take() -> float:
            last[build.name] = cost.run_on_one_core(bench, rows, build)
            return float(last[build.name].last["checkpoint_seconds"]) / rows * 1e6

        return take

    pairs = in_turn(bench.rounds, microseconds(THIS), microseconds(before))
    notes = [_generating(last[build.name], build) for build in (THIS, before)]
    what = f"checkpoints of {rows:,} rows at full speed on one core, of a row"
    ours = [one for one, _ in pairs]
    return [
        measured("checkpoints", what, "µs", ours, at_most(20, " µs"), notes),
        compared("checkpoints", "the same, against the build before", "µs", pairs, at_most(0.5)),
    ]


def _generating(costs: Costs, build: Build) -> str:
    every = costs.last["generate_seconds"] / costs.rows * 1e6
    made = costs.last["checkpoint_seconds"] / costs.rows * 1e6
    return (
        f"{build.name}: of {every:.0f} µs a row while generating, checkpoints take {made:.0f} "
        f"(while one is made the engine fills its queue); processor time of a row in all "
        f"{costs.microseconds('generating'):.0f} µs"
    )


def _wide(bench: Bench, before: Build) -> list[Finding]:
    rows = bench.sizes["wide"]
    ours, theirs = _peak(bench, THIS, rows, WIDTH), _peak(bench, before, rows, WIDTH)
    wider = _peak(bench, THIS, rows // WIDER, WIDTH * WIDER)
    what = f"peak memory of {rows:,} rows of {COLUMNS} columns"
    notes = [
        f"{name}: highest so far in MiB at the end of each phase: {_by_phase(costs)}"
        for name, costs in (("this", ours), ("before", theirs), (f"{WIDER} times as wide", wider))
    ]
    notes.append(_WHY)
    peaks = [(_mebibytes(ours), _mebibytes(theirs))]
    flat = [(_mebibytes(wider), _mebibytes(ours))]
    wide = f"{what}: a quarter of the rows, four times as wide, against these"
    return [
        measured("wide", what, "MiB", [peaks[0][0]], at_most(500, " MiB"), notes),
        compared("wide", f"{what}, against the build before", "MiB", peaks, at_most(1)),
        compared("wide", wide, "MiB", flat, at_most(1.1)),
    ]


def _mebibytes(costs: Costs) -> float:
    return costs.peak_bytes / MIB


def _by_phase(costs: Costs) -> str:
    found = ((name, costs.phases[name]) for name in PHASES if name in costs.phases)
    return ", ".join(f"{name} {phase.peak_bytes / MIB:,.0f}" for name, phase in found)


def _peak(bench: Bench, build: Build, rows: int, width: int) -> Costs:
    folder = bench.folder / "wide"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_wide(folder / "in.csv", rows, width)
    return cost.followed(bench, folder, rows, build)


def write_wide(path: Path, rows: int, width: int) -> None:
    """An input of `COLUMNS` columns: an id, a short text, and values of `width` characters that
    never come again."""
    drawn = random.Random(1)
    names = [f"c{number}" for number in range(COLUMNS - 2)]
    with path.open("w") as stream:
        stream.write(f"{','.join(['id', 'text', *names])}\n")
        for number in range(rows):
            values = [f"{drawn.getrandbits(4 * width):0{width}x}" for _ in names]
            word = scale.WORDS[number % 8]
            stream.write(f"{number:08d},ticket {number} about {word},{','.join(values)}\n")
