"""Nights of one job against the build before: nothing changed, and one row in a hundred.

The engine is the scripted one, so all that is measured is ours. Each build works in a folder of its
own, whose first run is not measured; every changed night changes other rows.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.bench import scale
from tests.bench.earlier import THIS, Build, earlier, in_turn
from tests.bench.findings import Finding, at_most, compared
from tests.bench.measure import CommandError, Spent
from tests.bench.sides import Bench

CASES = ("night-same", "night-changed")
# One row in so many is another one after a day.
_CHANGED = 100


@dataclass
class Job:
    """A job of one build in a folder of its own."""

    build: Build
    folder: Path
    rows: int
    nights: Iterator[int] = field(default_factory=count)

    def change(self) -> None:
        """Let one row in a hundred be another one than in all nights before."""
        night = next(self.nights)
        source = self.folder / "in.csv"
        if not night:
            scale.write_input(source, self.rows)
            return
        lines = source.read_text().splitlines(keepends=True)
        for place in range(night, len(lines), _CHANGED):
            lines[place] = lines[place].rstrip("\n") + f" night {night}\n"
        source.write_text("".join(lines))

    def run(self) -> Spent:
        return self.build.spend(scale.arguments(), self.folder)

    def output(self) -> bytes:
        return (self.folder / "out.jsonl").read_bytes()


def run(bench: Bench, wanted: Collection[str]) -> list[Finding]:
    """The cases among `wanted`."""
    rows, jobs = bench.sizes["night"], list[Job]()
    for build in (THIS, earlier(bench.folder)):
        folder = bench.folder / f"nights-{build.name}"
        folder.mkdir()
        jobs.append(Job(build, folder, rows))
        jobs[-1].change()
        jobs[-1].run()
    found = [_night(bench, case, *jobs) for case in CASES if case in wanted]
    if jobs[0].output() != jobs[1].output():
        raise CommandError("nights: the two builds have written different outputs")
    return found


def _night(bench: Bench, case: str, ours: Job, theirs: Job) -> Finding:
    is_same = case == "night-same"

    def seconds(job: Job) -> float:
        if not is_same:
            job.change()
        return job.run().cpu_seconds

    pairs = in_turn(bench.rounds, lambda: seconds(ours), lambda: seconds(theirs))
    kind = "nothing changed" if is_same else "one in a hundred changed"
    what = f"a night of {ours.rows:,} rows, {kind}, against the build before: processor time"
    goal = at_most(0.15 if is_same else 0.4)
    return compared(case, what, "s", pairs, goal, [_NOTES[case]])


_NOTES = {
    "night-same": "what is left is the start of Python and its imports, and reading every block of "
    "the store; the build before wrote the same output again",
    "night-changed": "what is left is above all one pass over the input (a quarter, with its "
    "profile), digests of rows for the next comparison, and a pass of the store over rows, answers "
    "and the output; the build before rendered, named and looked for signs in all rows again",
}
