"""Looking for the processes of an engine that still run."""

import psutil


def is_alive(process: psutil.Process) -> bool:
    """Not one that has ended and waits for its parent to notice, which is not us."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
