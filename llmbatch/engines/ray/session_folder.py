"""The temporary folder of a cluster of the run's own, which does not outlive the run."""

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path

_PREFIX = "llmbatch-ray-"
# Ray puts sockets into it with names of up to 74 bytes, and the path of one has at most 107.
_LONGEST = 107 - 75
MARK = "LLMBATCH_RAY_FOLDER"
"""The variable by which the cluster's processes are known."""
# It ends when its input does: with a line, all is done; without, our process was killed. Most of
# Ray's own processes end with it; those whose parent was a raylet stay for a minute (seen: 70 s).
_SWEEPER = f"""
if read -r line; then exit; fi
sleep 3
for process in /proc/[0-9]*; do
    if tr '\\0' '\\n' < "$process/environ" | grep -qxF "{MARK}=$0"; then
        kill -9 "${{process#/proc/}}"
    fi
done
sleep 1
rm -rf -- "$0"
"""


class SessionFolder:
    """Made at once, and removed by `close`, or by a small process once this one is gone."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        if len(str(self.path).encode()) > _LONGEST:
            self.path.rmdir()
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp"))
        self._sweeper = subprocess.Popen(
            ["sh", "-c", _SWEEPER, str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """Remove it. Idempotent."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self._sweeper.communicate(b"\n", timeout=1)
