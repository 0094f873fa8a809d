"""Processes and connections of a file of tests that others of its worker would find."""

import sys

import psutil

_REPLICA = "llmbatch.engines.replicas.child"


def runs_and_replicas() -> list[list[str]]:
    """The command lines of those that are children of this process."""
    lines = [_command_line(child) for child in psutil.Process().children()]
    return [line for line in lines if _REPLICA in line or line[1:3] == ["-m", "llmbatch"]]


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has ended
        return []


def is_connected_to_ray() -> bool:
    """True if this process is connected to a cluster: it can be to one only."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())
