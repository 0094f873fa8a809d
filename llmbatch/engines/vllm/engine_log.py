"""The log of a run, into which an engine's own noise goes."""

import os
from pathlib import Path
from typing import TextIO

# Never through a link, never waiting for the other end of a pipe.
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def opened(path: str) -> TextIO:
    """The log, at its end. It is never closed: vLLM's logging goes on using it until this process
    ends."""
    try:
        descriptor = os.open(Path(path), _APPEND, 0o600)
        return os.fdopen(descriptor, "a", buffering=1, encoding="utf-8")
    except OSError:  # no log must never stop a run, and no noise may reach the screen
        return Path(os.devnull).open("a", encoding="utf-8")
