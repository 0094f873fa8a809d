"""The watch over a job's input: what is other in it than in the inputs of the runs before."""

from collections.abc import Sequence

from llmbatch.core.errors import UsageError
from llmbatch.job.input import InputSpec
from llmbatch.job.spec import JobSpec
from llmbatch.quality.drift import comparison, taking
from llmbatch.quality.drift.comparison import Drift, Former
from llmbatch.quality.drift.profile import Profile
from llmbatch.store import input_profiles
from llmbatch.store.database import Database
from llmbatch.store.input_profiles import KeptProfile
from llmbatch.store.snapshots import Snapshot


class DriftWatch:
    """A guard of a job's input (see `guards`), which has its `drift` once it was read. `kept`: the
    profiles of the inputs that its runs had.

    Inputs are compared with those of which the same choice of rows was taken. One that the last run
    had, too, is not looked at again.
    """

    def __init__(
        self, spec: JobSpec, kept: Sequence[KeptProfile], *, is_aside: bool = False
    ) -> None:
        """`is_aside`: nothing will be kept of what is read, so with nothing to compare it with it
        is not looked at."""
        self._is_aside = is_aside
        self._spec: InputSpec = spec.input
        self._prompt = f"{spec.prompt or ''}\n{spec.system or ''}"
        self._kept = kept
        self._new: tuple[str, Profile] | None = None
        self.drift = Drift()

    def __call__(self, db: Database, snapshot: Snapshot) -> None:
        """Compare a reading. Raises UsageError for more drift than the job allows."""
        if not self._spec.drift_window:
            return
        digest = snapshot.source.digest
        alike = [each for each in self._kept if each.scope == self._spec.part]
        if alike and alike[-1].digest == digest:
            self.drift = Drift.from_json(alike[-1].drift)
        else:
            self._look(db, snapshot, self._before(alike, digest))
        self._require(snapshot.source.input)

    def _look(self, db: Database, snapshot: Snapshot, before: Sequence[Former]) -> None:
        if self._is_aside and not before:
            return
        profile = taking.profile_of(db, snapshot, self._prompt)
        self._new = snapshot.source.digest, profile
        self.drift = comparison.compare(profile, before)

    def _before(self, alike: Sequence[KeptProfile], digest: str) -> list[Former]:
        """The other inputs, each once, the oldest first."""
        latest = {each.digest: each for each in alike if each.digest != digest}
        chosen = sorted(latest.values(), key=lambda each: each.taken_at)
        return [
            Former(each.taken_at, Profile.from_json(each.profile))
            for each in chosen[-self._spec.drift_window :]
        ]

    def _require(self, name: str) -> None:
        allowed, level = self._spec.max_drift, self.drift.level
        if allowed is None or level is None or (allowed == "moderate" and level == "moderate"):
            return
        told = comparison.lines(self.drift)
        more = f"; and {len(told) - 3} more" if len(told) > 3 else ""
        raise UsageError(
            f"{name}: is other than the inputs before: {'; '.join(told[:3])}{more} (--max-drift "
            f"{allowed}): the output stays as it is; if this input is right, run once without "
            "--max-drift"
        )

    def lines(self) -> list[str]:
        """A line for each change."""
        return comparison.lines(self.drift)

    def keep(self, db: Database) -> None:
        """Keep what the input of a run is like, unless the last run had the same."""
        if self._new is not None:
            digest, profile = self._new
            found = self.drift.to_json()
            input_profiles.keep(db, digest, self._spec.part, profile.to_json(), found)
            self._new = None  # the stages of a cascade are runs of one input
