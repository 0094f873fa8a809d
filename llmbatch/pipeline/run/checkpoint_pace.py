"""The pace of checkpoints: by the number, the length and the age of what has settled."""

from llmbatch.core import clock
from llmbatch.job.run_settings import RunSpec
from llmbatch.store.runs import Attempt

OUTCOMES = 256
"""The outcomes of a checkpoint where the job does not say how many: at least so many, and those of
`_APART` seconds where more come in these. Most of what a checkpoint costs is the same for 256
outcomes and for 2,000, so a fast engine would spend its time on checkpoints; a slow one never has
more than 256 at risk."""
_APART = 0.1
# As long texts take memory several times over when they are committed, they are not waited for.
_CHARACTERS = 2**22


class CheckpointPace:
    """Of one run: counts what has settled since its last checkpoint."""

    def __init__(self, run_spec: RunSpec) -> None:
        self._given = run_spec.checkpoint_rows
        self._most_seconds = run_spec.checkpoint_seconds
        self._outcomes = 0
        self._characters = 0
        self._since = clock.seconds()

    def count(self, attempt: Attempt) -> None:
        """Count an outcome that waits for the next checkpoint."""
        self._outcomes += 1
        for text in (attempt.answer, attempt.reasoning, attempt.logprobs):
            if text is not None:
                self._characters += len(text)

    def begin(self) -> None:
        """Nothing waits any more; the interval counts from here."""
        self._outcomes = self._characters = 0
        self._since = clock.seconds()

    @property
    def is_full(self) -> bool:
        """True if enough waits for a checkpoint."""
        if self._given is not None:
            return self._outcomes >= self._given
        if self._outcomes < OUTCOMES:
            return False
        return self._characters >= _CHARACTERS or clock.seconds() - self._since >= _APART

    @property
    def is_due(self) -> bool:
        """True if enough waits, or something for long enough."""
        if not self._outcomes:
            return False
        return self.is_full or clock.seconds() - self._since >= self._most_seconds
