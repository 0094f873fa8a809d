"""Killing a whole process tree, and waiting until it is gone."""

import os
import signal
import time
from pathlib import Path


def kill_tree(pid: int) -> None:
    """SIGKILL for a session and for every descendant that left it; wait until they are gone."""
    doomed = family(pid)
    for member in doomed:
        try:
            os.kill(member, signal.SIGKILL)
        except ProcessLookupError:
            continue
    while any(alive(member) for member in doomed):
        time.sleep(0.01)


def family(pid: int) -> set[int]:
    """The process, its descendants, and all of its session."""
    parents: dict[int, int] = {}
    found = {pid}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, parent, _, session = path.read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(path.parent.name)] = int(parent)
        if int(session) == pid:
            found.add(int(path.parent.name))
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
