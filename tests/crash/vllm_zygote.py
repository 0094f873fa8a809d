"""Runs of llmbatch with vLLM in a second instead of fifteen: forked after the imports.

Most of a vLLM's start is importing it. This process does that once, and then forks a child for
each line of JSON on stdin: {"argv": [...], "cwd": ..., "stderr": FILE}. The child leads a session
of its own and runs `llmbatch ARGV` with vLLM in that same process. On stdout, in JSON: first
{"ready": true}, then {"started": PID} at once and {"ended": PID, "status": RETURNCODE} when it
has ended (negative: by that signal).

A child can be killed like any run. What a fork cannot show is the part of vLLM's start that is
shared here, and the engine core in its own process.
"""

import json
import os
import selectors
import signal
import sys
from pathlib import Path
from typing import Any

# Libraries print while they are imported.
OUT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    # A pool of threads would not survive the fork.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}


def import_everything() -> None:
    """Import all modules that a run needs until its engine is ready; none may start a thread."""
    import torch
    import vllm.v1.engine.llm_engine
    import vllm.v1.structured_output.backend_xgrammar
    import vllm.v1.worker.cpu_model_runner  # noqa: F401

    import llmbatch.cli.end_report
    import llmbatch.cli.eventlog
    import llmbatch.cli.job_flags
    import llmbatch.estimate.cache_forecaster
    import llmbatch.pipeline.run.execute

    torch.set_num_threads(1)
    assert llmbatch.pipeline.run.execute
    # pyarrow's allocator has one, which it stops and starts around a fork.
    assert set(threads()) <= {"main", "jemalloc_bg_thd"}, threads()


def threads() -> list[str]:
    tasks = Path("/proc/self/task").iterdir()
    others = [task for task in tasks if int(task.name) != os.getpid()]
    return ["main", *((task / "comm").read_text().strip() for task in others)]


def run(order: dict[str, Any]) -> None:
    """In the child: become what `llmbatch ARGV` would be."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(order["cwd"])
    null = os.open(os.devnull, os.O_RDWR)
    stderr = os.open(order["stderr"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for target, source in enumerate((null, null, stderr)):
        os.dup2(source, target)
    sys.argv = ["llmbatch", *order["argv"]]
    from llmbatch.cli.main import entry

    entry()


def fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        run(order)
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)


def say(**message: Any) -> None:
    print(json.dumps(message), file=OUT, flush=True)


def reap() -> None:
    """Tell of every child that has ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        say(ended=pid, status=os.waitstatus_to_exitcode(status))


def main() -> None:
    os.environ.update(ENVIRONMENT)
    import_everything()
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    signal.set_wakeup_fd(theirs)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector = selectors.DefaultSelector()
    selector.register(ours, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    say(ready=True)
    while True:
        for key, _ in selector.select():
            if key.fd == ours:
                os.read(ours, 4096)
                reap()
            elif line := sys.stdin.readline():
                say(started=fork(json.loads(line)))
            else:
                return


if __name__ == "__main__":
    main()
