"""The reason of a failure of vLLM, in one line; its exceptions often only point at its log."""

import os
import re
import signal
from pathlib import Path

from llmbatch.core.errors import EngineError
from llmbatch.engines.vllm import versions

_LOG_TAIL = 400_000  # characters in which the reason of a failure is looked for
# Text of pydantic and vLLM around a reason.
_NOISE = re.compile(
    r"^\d+ validation errors? for \w+ (?:Value error, )?| \[type=\w+, input_value=.*$"
    r"| To allow overriding this maximum, .*$"
)
_WORKER_DIED = re.compile(r"Worker proc (\S+) died unexpectedly(?: \(exit code: -(\d+))?")
_CAUSE_LINES = 200  # how far above a worker's end its cause may be
_ERROR_LINE = re.compile(r"(?:^|[\s\]])((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)): (\S.*)$")
_NOT_THE_REASON = (
    "See root cause above",
    "See stack trace",
    "stack trace above",
    "EngineDeadError",
    "initialization failed due to",
    "cancelled",
    "Ignored error",
)


def reason_of(error: BaseException, log_path: str | None, since: int) -> str:
    """The first cause in one line: vLLM's own exceptions often only point at its log."""
    text = _NOISE.sub("", " ".join(str(error).split())) or type(error).__name__
    vague = any(mark in text for mark in _NOT_THE_REASON)
    logged = _reason_in(log_path, since) if vague and log_path else None
    return logged or ("its process has ended" if "stack trace" in text else text)


def of_start(error: BaseException, log_path: str | None, since: int) -> EngineError:
    """The error of a start that failed with this one of vLLM's."""
    if versions.is_mismatch(error):
        return versions.mismatch(error)
    return EngineError(f"vLLM: {with_advice(reason_of(error, log_path, since))}")


def has_logged(words: str, log_path: str | None, since: int) -> bool:
    """True if vLLM has said these words in its log: some failures it only tells there."""
    try:
        with Path(log_path or os.devnull).open("rb") as log:
            log.seek(since)
            return words.encode() in log.read()
    except OSError:
        return False


def _reason_in(log_path: str, since: int) -> str | None:
    try:
        with Path(log_path).open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(since, log.tell() - _LOG_TAIL))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return None
    worker = None
    above = _CAUSE_LINES
    for line in reversed(lines):
        match = _ERROR_LINE.search(line)
        if match and not any(mark in line for mark in _NOT_THE_REASON):
            return f"{match[1].rpartition('.')[2]}: {match[2].strip()}"
        died = _WORKER_DIED.search(line)
        if died and died[2]:
            return f"its process {died[1]} was ended by {signal.Signals(int(died[2])).name}"
        worker = worker or died
        above -= worker is not None
        if above == 0:
            break
    return f"its process {worker[1]} has ended" if worker else None


_ADVICE = (
    (r"ended by SIGKILL", "the system does that when memory runs out: see dmesg"),
    (r"estimated maximum model length is (\d+)", r"set max_model_len=\1 or give more memory"),
    (r"derived max_model_len \(max_position_embeddings=(\d+)", r"set max_model_len to \1 at most"),
    (r"out of memory|CUDA error: out of memory|Cannot allocate", "use a smaller model or "
     "max_model_len, or lower gpu_memory_utilization"),
    (r"Available memory on node|Free memory on device", "other processes hold the memory: "
     "lower gpu_memory_utilization or kv_cache_memory_bytes"),
    (r"not supported for now|does not recognize this architecture|are not supported",
     "this vLLM does not know the model: use a newer vLLM or another model"),
    (r"No available memory for the cache blocks", "raise gpu_memory_utilization"),
)  # fmt: skip


def with_advice(reason: str) -> str:
    """The reason, and what to do about it where that is known."""
    for pattern, advice in _ADVICE:
        match = re.search(pattern, reason, re.IGNORECASE)
        if match:
            return f"{reason} [{match.expand(advice)}]"
    return reason
