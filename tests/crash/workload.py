"""A small job of two nights, with rows of every fate, and what an undisturbed run makes of it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.crash.states import State
from tests.crash.tracer import Trace, Tracer

ENGINE = "tests.scripted_engine:create"
FILES = ("out.jsonl", "out.errors.jsonl")
# Small, so that there are several checkpoints and several chunks; never by the clock, so that
# two runs do the same.
TASKS = {
    "cascade": ("cascade.toml", "-p", "{{ text }}"),
    "generate": ("-p", "Say {{ text }}"),
    "embed": ("--task", "embed", "-p", "{{ text }}"),
    "classify": ("--task", "classify", "-p", "{{ text }}"),
    "labels": ("--task", "classify", "-p", "{{ text }}", "--label", "red", "--label", "blue"),
    "score": (
        *("--task", "score", "--query", "{{ text }}", "--document", "Say {{ text }}"),
        *("--top", "1"),
    ),
}
"""The flags of a job for each task."""
CASCADE = """
task = "classify"
model = [{ model = "m", escalate_below = 0.8 }, { model = "larger" }]
[classify]
labels = ["red", "blue"]
[engine]
own = true
"""
SIZES = ("--checkpoint-rows", "16", "--checkpoint-seconds", "600", "--chunk-size", "10")


def _lines(night: int) -> list[str]:
    """The input. The second night's has edited, new and removed rows."""
    lines = ["id,text"]
    for number in range(36 + 8 * (night - 1)):
        if night == 2 and number in (3, 17):
            continue
        if number % 16 == 15:
            lines.append(f"{number}")  # a reject: a field is missing
        else:
            lines.append(f"{number},{_text(number, night)}")
    return lines


def _text(number: int, night: int) -> str:
    marks = {5: " FAIL:refused_request", 11: " LENGTH", 23: " FAIL:template"}
    # Every ninth row asks what the row before it asks.
    text = f"text {number - 1 if number % 9 == 8 else number}{marks.get(number, '')}"
    if night == 2:
        # Two are edited; one that failed is mended.
        text = {6: "edited 6", 20: "edited 20", 5: "mended 5"}.get(number, text)
    return text


@dataclass(frozen=True)
class Result:
    """The result of an undisturbed run: exit code, files, store."""

    code: int
    files: dict[str, bytes | None]
    state: State


class Place:
    """A folder in which the job is worked on, with the engine's ledger beside it."""

    def __init__(self, folder: Path, task: str = "generate") -> None:
        self.folder = folder
        self._task = task
        self._ledger = folder.with_name(folder.name + ".ledger")

    def night(self, number: int) -> None:
        """The input of that night has come."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "in.csv").write_text("\n".join(_lines(number)) + "\n")
        (self.folder / "cascade.toml").write_text(CASCADE)

    def arguments(self) -> list[str]:
        return [
            "run", *self._asked(), "-o", "out.jsonl", "-q", *SIZES,
            "--engine", ENGINE, "--engine-arg", f"ledger={self._ledger}",
        ]  # fmt: skip

    def _asked(self) -> tuple[str, ...]:
        if self._task == "cascade":
            return (*TASKS[self._task], "--input", "in.csv")
        return ("in.csv", "-m", "m", *TASKS[self._task])

    def copy(self, folder: Path) -> "Place":
        """The same, elsewhere."""
        if folder.exists():
            shutil.rmtree(folder)
        shutil.copytree(self.folder, folder)
        copy = Place(folder, self._task)
        copy._ledger.unlink(missing_ok=True)
        return copy

    def computed(self) -> list[str]:
        """The keys that the engine has computed since this was last asked."""
        if not self._ledger.exists():
            return []
        keys = self._ledger.read_text().splitlines()
        self._ledger.unlink()
        return keys

    def files(self) -> dict[str, bytes | None]:
        """The output and the error file, as far as they exist."""
        paths = {name: self.folder / name for name in FILES}
        return {name: path.read_bytes() if path.exists() else None for name, path in paths.items()}

    def leftovers(self) -> list[str]:
        """Drafts, which may stay after a kill but not after the run that follows it."""
        found = [*self.folder.rglob("*.partial"), *self.folder.rglob("*.new*")]
        return [str(path.relative_to(self.folder)) for path in found]

    def state(self) -> State:
        return State.read(self.folder / "out.llmbatch/job.duckdb")

    def result(self, trace: Trace) -> Result:
        return Result(trace.code, self.files(), self.state())


@dataclass(frozen=True)
class Nights:
    """The undisturbed job: how it stood before each night, and what came of each."""

    before: dict[int, Place]
    results: dict[int, Result]


def undisturbed(tracer: Tracer, folder: Path, task: str = "generate") -> Nights:
    """Work both nights in peace."""
    place = Place(folder / "reference", task)
    before: dict[int, Place] = {}
    results: dict[int, Result] = {}
    for night in (1, 2):
        place.night(night)
        before[night] = place.copy(folder / f"before-{night}")
        trace = tracer.run(place.arguments(), place.folder, traced=False)
        assert trace.code in (0, 3), trace.stderr
        results[night] = place.result(trace)
    place.computed()
    return Nights(before, results)
