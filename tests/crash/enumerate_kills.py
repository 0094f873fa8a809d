"""`python tests/crash/enumerate_kills.py`: a run is killed at its 1st, 2nd, 3rd ... step.

In the manner of SQLite's crash tests. A step is a change that the run makes to a file of its
folder, or a statement that it sends to the store. After each kill the store must be in a legal
state and the output whole or absent; the same command again must end like a run that was never
disturbed, and compute nothing that was committed.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.crash import workload  # noqa: E402
from tests.crash.states import State  # noqa: E402
from tests.crash.tracer import At, Trace, Tracer  # noqa: E402
from tests.crash.workload import Nights, Place, Result  # noqa: E402

# Where what is on the disk changes its meaning.
TURNING_POINTS = ("sync", "rename")

# A run that is killed somewhere.
Killed = Callable[[Place], Trace]


@dataclass
class Tally:
    """The kills that were tried, and their results."""

    points: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    recomputed: list[int] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.points.values())


class Enumeration:
    """Kills the job of `workload`, with this task, in every way."""

    def __init__(self, tracer: Tracer, folder: Path, task: str = "generate") -> None:
        self._tracer = tracer
        self._folder = folder
        self._nights: Nights = workload.undisturbed(tracer, folder, task)
        self._former = {1: State(), 2: self._nights.results[1].state}
        # What the last kill left, and what was computed until then: the journal may hold more
        # of it than the store, which gets it at the next start.
        self._left = State()
        self._computed: set[str] = set()
        self.tally = Tally()

    def events(
        self,
        night: int,
        kinds: tuple[str, ...] = (),
        path: str = "*",
        numbers: Iterable[int] | None = None,
    ) -> Iterator[tuple[int, Place]]:
        """Kill before the 1st, 2nd, ... event, or before those of these `numbers`; gives the
        places as they are after the kill."""
        for number in count(1) if numbers is None else numbers:
            at = At(number, kinds=kinds, path=path)
            place = self._killed(night, f"night {night}, event {number}", self._at_event(at))
            if place is None:
                return
            yield number, place

    def statements(
        self, night: int, only: str, moment: str, numbers: Iterable[int] | None = None
    ) -> Iterator[Place]:
        """Kill before or after the 1st, 2nd, ... statement that begins with `only`, or those of
        these `numbers`."""
        for number in count(1) if numbers is None else numbers:
            name = f"night {night}, {moment} statement {number} {only}".rstrip()
            place = self._killed(night, name, self._at_statement(number, only, moment))
            if place is None:
                return
            yield place

    def again(self, night: int, place: Place, name: str, points: Iterable[At]) -> None:
        """Kill the resumed run, too, each time from the same state."""
        saved = place.copy(self._folder / "saved")
        left, computed = self._left, self._computed
        for at in points:
            self._computed = set(computed)
            twice = saved.copy(self._folder / "twice")
            killed = self._at_event(at)
            if not self._check(night, twice, f"{name}, again at {at.number}", left, killed):
                return
            self.finish(night, twice, f"{name}, again at {at.number}")

    def finish(self, night: int, place: Place, name: str) -> None:
        """The same command again: it must end as if nothing had happened."""
        settled = self._left.settled()
        place.computed()
        trace = self._tracer.run(place.arguments(), place.folder, traced=False)
        if trace.killed or "Traceback" in trace.stderr:
            self._problem(name, f"the resumed run ended with {trace.code}: {trace.stderr}")
            return
        twice = settled & set(place.computed())
        if twice:
            self._problem(name, f"{len(twice)} committed requests were computed again")
        self._compare(name, place.result(trace), self._nights.results[night])
        if left := place.leftovers():
            self._problem(name, f"drafts were left: {left}")

    def _at_event(self, at: At) -> Killed:
        return lambda place: self._tracer.run(place.arguments(), place.folder, at=at)

    def _at_statement(self, number: int, only: str, moment: str) -> Killed:
        call = (f"{__package__ or 'tests.crash'}.statements:kill_at", [number, only, moment])
        return lambda place: self._tracer.run(
            place.arguments(), place.folder, prepare=[call], traced=False
        )

    def _killed(self, night: int, name: str, killed: Killed) -> Place | None:
        """A fresh place with a run that was killed; None if the run had ended before."""
        place = self._nights.before[night].copy(self._folder / "killed")
        self._computed = set()
        return place if self._check(night, place, name, self._former[night], killed) else None

    def _check(self, night: int, place: Place, name: str, before: State, killed: Killed) -> bool:
        """True if the run was killed; then its state is checked."""
        place.computed()
        trace = killed(place)
        if not trace.killed:
            self._compare(name, place.result(trace), self._nights.results[night])
            return False
        last = trace.events[-1] if trace.events else None
        self.tally.points[last.kind if last else "statement"] += 1
        where = f"{name} ({last.name})" if last else name
        for problem in self._illegal(night, place, before):
            self._problem(where, problem)
        return True

    def _illegal(self, night: int, place: Place, before: State) -> Iterator[str]:
        """The faults of this state: those that no undisturbed job could show."""
        final = self._nights.results[night].state
        former = self._former[night]
        self._left = state = place.state()
        if state.violations:
            yield f"violated: {state.violations}"
        if state.rows not in (before.rows, former.rows, final.rows):
            yield "the rows are neither the old nor the new ones"
        if state.planned not in (before.planned, former.planned, final.planned, frozenset()):
            yield "the plan is neither the old nor the new one"
        if not before.attempts <= state.attempts:
            yield "attempts are gone that were committed before this run"
        new = state.attempts - before.attempts
        if not new <= final.attempts:
            yield f"attempts that no run makes: {sorted(new - final.attempts)[:2]}"
        self._computed.update(place.computed())
        if not {attempt[0] for attempt in new} <= self._computed:
            yield "attempts that the engine never computed"
        yield from self._torn(night, place)

    def _torn(self, night: int, place: Place) -> Iterator[str]:
        for name, content in place.files().items():
            old = self._nights.results[night - 1].files[name] if night > 1 else None
            if content not in (old, self._nights.results[night].files[name]):
                yield f"{name} is neither the old nor the new one, nor absent"

    def _compare(self, name: str, found: Result, wanted: Result) -> None:
        if found.code != wanted.code:
            self._problem(name, f"the exit code is {found.code}, not {wanted.code}")
        for file, content in wanted.files.items():
            if found.files[file] != content:
                self._problem(name, f"{file} is not that of an undisturbed run")
        if found.state != wanted.state:
            self._problem(name, "the store does not hold what that of an undisturbed run holds")

    def _problem(self, name: str, text: str) -> None:
        self.tally.problems.append(f"{name}: {text}")


def short(enumeration: Enumeration, step: int = 1, commits: int = 1) -> None:
    """Every sync, rename and COMMIT, and every change to an output or its draft, once; of the
    events every `step`-th, of the COMMITs every `commits`-th, others in the second night than in
    the first."""
    writes = ("create", "truncate", "write")
    for night in (1, 2):
        # Each kind by itself: how many events lie between two of them depends on the machine.
        turning = (((kind,), "*") for kind in TURNING_POINTS)
        for kinds, path in (*turning, (writes, "*out.*jsonl*")):
            numbers = count(1 + (night - 1) % step, step)
            for number, place in enumeration.events(night, kinds, path, numbers):
                enumeration.finish(night, place, f"night {night}, event {number}")
        numbers = count(1 + (night - 1) % commits, commits)
        for place in enumeration.statements(night, "COMMIT", "before", numbers):
            enumeration.finish(night, place, f"night {night}, before a COMMIT")


def full(enumeration: Enumeration) -> None:
    """Every event and every statement; some resumed runs are killed again, at every tenth event."""
    for night in (1, 2):
        for number, place in enumeration.events(night):
            name = f"night {night}, event {number}"
            enumeration.finish(night, place, name)
            _tell(enumeration, name)
        for number, place in enumeration.events(night, TURNING_POINTS, numbers=count(5, 5)):
            name = f"night {night}, sync or rename {number}"
            enumeration.again(night, place, name, [At(m) for m in range(number % 7 + 1, 80, 10)])
            _tell(enumeration, name)
        for only, moment in (("", "before"), ("COMMIT", "after")):
            for place in enumeration.statements(night, only, moment):
                enumeration.finish(night, place, f"night {night}, at a statement")
                _tell(enumeration, f"night {night}, statements")


def _tell(enumeration: Enumeration, name: str) -> None:
    if enumeration.tally.total % 20 == 0:
        found = len(enumeration.tally.problems)
        print(f"{enumeration.tally.total} kills, {found} problems ({name})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="syncs, renames and COMMITs only")
    parser.add_argument("--task", choices=workload.TASKS, default="generate")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="llmbatch-kills-") as folder, Tracer() as tracer:
        if tracer.obstacle is not None:
            raise SystemExit(tracer.obstacle)
        enumeration = Enumeration(tracer, Path(folder), given.task)
        (short if given.short else full)(enumeration)
    tally = enumeration.tally
    for problem in tally.problems[:40]:
        print(f"PROBLEM: {problem}")
    bad = len({problem.partition(":")[0] for problem in tally.problems})
    counts = ", ".join(f"{kind} {count}" for kind, count in tally.points.most_common())
    print(f"{tally.total} kill points ({counts}), {tally.total - bad} of them legal and resumed")
    print(f"{time.monotonic() - began:.0f} s")
    raise SystemExit(1 if tally.problems else 0)


if __name__ == "__main__":
    main()
