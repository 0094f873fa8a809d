"""Processes measured from outside: seconds, processor seconds and memory of the whole tree."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
MIB = 1 << 20
# Peaks that are over between two looks are missed; looking more often slows down what is seen.
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Spent:
    """The time and the memory of a command.

    `cpu_seconds`: of the command and all processes it waited for; `own_seconds`: of the command's
    own process alone. `tree_bytes`: the peak of the
    proportional set sizes (shared pages counted once) summed over the process tree, as sampled.
    `front_bytes`: the peak resident size of the command's own process, as the kernel keeps it.
    """

    code: int
    seconds: float
    cpu_seconds: float
    tree_bytes: int
    front_bytes: int
    own_seconds: float = 0.0


class CommandError(Exception):
    """A command of the suite ended as it should not have."""


def environment(**more: str) -> dict[str, str]:
    """The environment of a measured process: offline, with bytecode kept.

    Where bytecode may not lie beside the sources it is kept elsewhere; without any, imports
    take twice as long and are all that is measured.
    """
    kept = os.environ | {"HF_HUB_OFFLINE": "1"} | more
    if sys.dont_write_bytecode:
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        kept.setdefault("PYTHONPYCACHEPREFIX", str(ROOT / ".pytest_cache" / "bytecode"))
    return kept


def spend(
    command: Sequence[str],
    log: Path,
    *,
    folder: Path = ROOT,
    fine: Sequence[int] = (0,),
    memory: bool = False,
    stdin: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Spent:
    """Run a command to its end; what it prints goes to `log`.

    With `memory` its process tree is looked at now and then. Raises CommandError, with the end
    of the log, if its exit code is not among `fine`.
    """
    before = _children_seconds()
    began = time.perf_counter()
    with log.open("wb") as printed:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            env=environment(**(variables or {})),
        )
        try:
            if process.stdin is not None and stdin is not None:
                process.stdin.write(stdin.encode())
                process.stdin.close()
            tree, front = _watched(process) if memory else (0, 0)
            own = _own_seconds(process.pid)
            code = process.wait()
        finally:
            _end(process)
    seconds = time.perf_counter() - began
    if code not in fine:
        last = log.read_text(errors="replace").splitlines()[-15:]
        raise CommandError(f"exit code {code}: {' '.join(command[:6])} ...\n" + "\n".join(last))
    return Spent(code, seconds, _children_seconds() - before, tree, front, own)


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _own_seconds(pid: int) -> float:
    """The processor seconds of a child process without its children, once it has ended. It must
    not have been waited for."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    figures = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(figures[11]) + int(figures[12])) / os.sysconf("SC_CLK_TCK")


def _watched(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Peaks of a process tree until its root has ended: (whole tree, root)."""
    tree = front = 0
    root = psutil.Process(process.pid)
    ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, process.pid, ended) is None:
        try:
            pids = [process.pid, *(child.pid for child in root.children(recursive=True))]
        except psutil.Error:
            break
        tree = max(tree, sum(map(proportional_bytes, pids)))
        front = max(front, high_water_bytes(process.pid))
        time.sleep(LOOK_SECONDS)
    return tree, front


def proportional_bytes(pid: int) -> int:
    """The proportional set size of a process; 0 if it has ended."""
    return _kib_of(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") * 1024


def high_water_bytes(pid: int) -> int:
    """The greatest resident size that a process has had so far; 0 if it has ended."""
    return _kib_of(Path(f"/proc/{pid}/status"), "VmHWM:") * 1024


def _kib_of(path: Path, name: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing behind if the suite itself is interrupted."""
    if process.poll() is not None:
        return
    try:
        tree = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        tree = []
    process.kill()
    process.wait()
    for child in tree:
        try:
            child.kill()
        except psutil.Error:
            continue
