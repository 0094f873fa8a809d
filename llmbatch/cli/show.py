"""The narration that was asked for."""

from pathlib import Path
from typing import NamedTuple

TO_STDERR = Path("-")
"""In place of the name of an event log: standard error."""


class Show(NamedTuple):
    """The narration of a run, and the file of its events."""

    quiet: bool
    verbose: bool
    log_json: Path | None

    @property
    def is_log(self) -> bool:
        """True if the events take the place of the narration."""
        return self.log_json == TO_STDERR
