"""An earlier build of llmbatch, unpacked beside this one, so that the two are measured in turn.

Both run in this environment: what differs is llmbatch's own code alone.
"""

import io
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import ROOT, CommandError, Spent, spend

# The last commit before "Twice as fast where it is ours": the build that its targets are ratios to.
BEFORE = "49ccc99414a9f27e66912c83f6f1c9637b584608"


@dataclass(frozen=True)
class Build:
    """The sources of one build: a folder that holds the packages `llmbatch` and `tests`."""

    name: str
    root: Path

    @property
    def variables(self) -> dict[str, str]:
        """Variables of a process of this build; they hold in any working folder."""
        return {"PYTHONPATH": str(self.root), "PYTHONSAFEPATH": "1"}

    def spend(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        memory: bool = False,
        fine: Sequence[int] = (0,),
    ) -> Spent:
        """Seconds and memory of `llmbatch` with these arguments, run in `folder`.

        Raises CommandError if its exit code is not among `fine`.
        """
        command = [sys.executable, "-m", "llmbatch", *arguments]
        log = folder / f"{self.name}.log"
        variables = self.variables
        return spend(command, log, folder=folder, memory=memory, fine=fine, variables=variables)


THIS = Build("this", ROOT)


def earlier(folder: Path, commit: str = BEFORE) -> Build:
    """The build of a commit, unpacked in `folder`. Raises CommandError where git has none of it."""
    command = ["git", "-C", str(ROOT), "archive", commit, "llmbatch", "tests", "samples"]
    packed = subprocess.run(command, capture_output=True, check=False)
    if packed.returncode:
        reason = packed.stderr.decode(errors="replace").strip()
        raise CommandError(f"no earlier build to compare with: {reason} (a shallow clone?)")
    root = folder / f"build-{commit[:7]}"
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(root, filter="data")
    return Build("before", root)


def in_turn(
    rounds: int, ours: Callable[[], float], theirs: Callable[[], float]
) -> list[tuple[float, float]]:
    """Rounds of (ours, theirs); who begins changes from one to the next."""
    pairs = []
    for number in range(rounds):
        if number % 2:
            other = theirs()
            pairs.append((ours(), other))
        else:
            pairs.append((ours(), theirs()))
    return pairs
