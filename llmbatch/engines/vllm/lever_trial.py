"""Levers of vLLM tried one by one, each in a process of its own: a program.

`python -m llmbatch.engines.vllm.lever_trial MODEL SECONDS NAME...` starts an engine with nothing
changed and one for each lever named, asks each the same rows, and prints a line of JSON for each
as soon as it is done. NAME=FOLDER tries it with what it needs from elsewhere: another model, or a
draft model's head. An engine that is not done after so many seconds is ended. On a CPU the
processes are copies of one that has imported vLLM, which saves them a minute; a GPU's driver allows
no such copies.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from select import poll, select
from typing import Any, TextIO

from llmbatch.core import clock
from llmbatch.core.outcomes import Completed
from llmbatch.core.records import Message, Request, Sampling
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.vllm import defaults, start
from llmbatch.engines.vllm.lever_table import LEVERS

BASE = "nothing changed"
_OPTIONS: dict[str, Any] = {
    "enforce_eager": True,
    "max_num_seqs": 4,
    "max_model_len": 256,
    "kv_cache_memory_bytes": 64 << 20,
}
_TASK = "Extract category, priority and order id as JSON.\n\n"
_TEXTS = (
    "Hello, Unfortunately, the mountain tent does not switch on (X-16005). There is no hurry.",
    "The website does not load on my tablet. We cannot work until this is solved.",
    "You billed me €1,535.99, but the price was £2,069.00. Our accounting team needs this today.",
    "Where is my parcel? The tracking of order X-20417 has not changed for a week.",
    "I would like to cancel order X-33120 and get my money back.",
    "Can I change the address of my account?",
)
_TOKENS = 24
_OWN_PROCESS = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "1"}


def main() -> None:
    """Try the levers named, and print the results."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # vLLM logs to stdout
    model, seconds, *names = sys.argv[1:]
    if seconds == "alone":
        _end_with(out.fileno())
        out.write(json.dumps(_tried(model, *names)))
        out.close()
        return
    with tempfile.TemporaryDirectory(prefix="llmbatch-trial-") as folder:
        _end_with(out.fileno(), folder)
        signal.signal(signal.SIGTERM, lambda *_: _end(folder))
        _try_each(model, (BASE, *names), folder, float(seconds), out)


def _try_each(model: str, names: Sequence[str], folder: str, seconds: float, out: TextIO) -> None:
    """Print a line for each. `folder`: for their logs, which are not theirs to remove, since a
    trial may be killed."""
    if is_copied := defaults.is_cpu_build():
        os.environ.update(_OWN_PROCESS)
        start.set_environment(local=True)
        import vllm.model_executor.model_loader.weight_utils
        import vllm.v1.engine.llm_engine  # noqa: F401
    work = _copied if is_copied else _apart
    for number, name in enumerate(names):
        began = clock.seconds()
        place = Path(folder) / str(number)
        place.mkdir()
        found = work(model, name, str(place), seconds)
        found |= {"name": name, "seconds": round(clock.seconds() - began, 1)}
        out.write(json.dumps(found) + "\n")
        out.flush()


def _end_with(pipe: int, folder: str | None = None) -> None:
    """End this process once nobody reads what it writes into a pipe, since its parent has ended,
    and remove its folder."""
    nobody = poll()
    nobody.register(pipe, 0)

    def watch() -> None:
        nobody.poll()
        _end(folder)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def _end(folder: str | None) -> None:
    """End this process at once: an end of Python's would take vLLM apart, which takes seconds."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGKILL)


def _copied(model: str, name: str, folder: str, seconds: float) -> dict[str, Any]:
    """The result of a copy of this process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.close(reading)
            _end_with(writing)
            os.write(writing, json.dumps(_tried(model, name, folder)).encode())
        _end(None)
    os.close(writing)
    said, until = b"", clock.seconds() + seconds
    while select([reading], [], [], max(0.0, until - clock.seconds()))[0]:
        piece = os.read(reading, 65_536)
        if not piece:
            break
        said += piece
    is_late = clock.seconds() >= until
    os.close(reading)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return _result(said, seconds, is_late=is_late)


def _apart(model: str, name: str, folder: str, seconds: float) -> dict[str, Any]:
    """The result of this program, run for one lever."""
    command = [
        sys.executable,
        "-m",
        "llmbatch.engines.vllm.lever_trial",
        model,
        "alone",
        name,
        folder,
    ]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return _result(b"", seconds, is_late=True)
    return _result(done.stdout, seconds, is_late=False)


def _result(said: bytes, seconds: float, *, is_late: bool) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        found: dict[str, Any] = json.loads(said)
        return found
    late = f"not done after {seconds:.0f} seconds (more: --timeout)"
    return {"error": late if is_late else "its process died"}


def _tried(model: str, name: str, folder: str) -> dict[str, Any]:
    """Start an engine with a lever and ask it; the reason where it fails. `folder`: for its log."""
    from llmbatch.engines.vllm import engine as vllm

    name, _, other = name.partition("=")
    lever = next((each for each in LEVERS if each.name == name), None)
    os.environ.update({} if lever is None else lever.environment)
    options = _OPTIONS | ({} if lever is None else dict(lever.options if other else lever.tried))
    if not _names_model(options, other or model) and other:
        model = other
    try:
        config = EngineConfig(model, options, str(Path(folder) / "log"))
        with vllm.create(config) as engine:
            return _asked(engine)
    except Exception as error:
        return {"error": " ".join(str(error).split())[:500]}


def _names_model(options: dict[str, Any], model: str) -> bool:
    """True if speculation needs a model, which is then named in `options`."""
    inner = options.get("speculative_config")
    if not isinstance(inner, Mapping) or "model" not in inner:
        return False
    options["speculative_config"] = {**inner, "model": str(Path(model).resolve())}
    return True


def _asked(engine: Any) -> dict[str, Any]:
    """The answers of a started engine, and its settings. Each row is asked twice."""
    texts, cached = [], 0
    for turn in range(2):
        requests = [_request(turn, number) for number in range(len(_TEXTS))]
        outcomes = {outcome.key: outcome for outcome in engine.run(iter(requests))}
        for request in requests:
            outcome = outcomes[request.key]
            if not isinstance(outcome, Completed):
                return {"error": str(getattr(outcome, "message", outcome))[:500]}
            texts.append(outcome.text)
            cached += outcome.usage.cached or 0
    settings = engine.describe().settings
    return {"texts": texts, "cached": cached, "settings": settings}


def _request(turn: int, number: int) -> Request:
    key = f"{100 * turn + number:032x}"
    return Request(key, (Message("user", _TASK + _TEXTS[number]),), Sampling(max_tokens=_TOKENS))


if __name__ == "__main__":
    main()
