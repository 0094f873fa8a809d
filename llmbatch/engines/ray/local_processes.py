"""The processes of a cluster of the run's own: none of them stays."""

import contextlib
import os
from typing import Any

END_SECONDS = 5.0


class LocalProcesses:
    """Ray ends them itself, but for those whose parent was killed: they notice it much later."""

    def __init__(self) -> None:
        self._roots: list[Any] = []
        self._seen: set[Any] = set()

    def begin(self, folder: str) -> None:
        """Know the processes that were started with this temporary folder."""
        import psutil

        for child in psutil.Process(os.getpid()).children():
            with contextlib.suppress(psutil.Error):
                if any(folder in word for word in child.cmdline()):
                    self._roots.append(child)
        self.look()

    def look(self) -> None:
        """Know those that they have started since."""
        import psutil

        for root in self._roots:
            with contextlib.suppress(psutil.Error):
                self._seen.update([root, *root.children(recursive=True)])

    def end(self) -> None:
        """Kill those that are left, and wait for their end."""
        import psutil

        _, left = psutil.wait_procs(list(self._seen), timeout=0.5)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=END_SECONDS)
