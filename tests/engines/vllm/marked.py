"""A worker of our own for vLLM that fails at marked requests: `session.MARKED` as `worker_cls`.

vLLM itself is left as it is and gets good requests only. A word in a prompt says what the worker
does when the request is scheduled:

    KILL     its process gets SIGKILL: only where vLLM works in processes of its own
    BREAK    its step fails with an error
    STALL    its step takes STALL_SECONDS longer
"""

import os
import re
import signal
import time
from pathlib import Path
from typing import Any

from vllm.platforms import current_platform

if current_platform.is_cpu():
    from vllm.v1.worker.cpu_worker import CPUWorker as DeviceWorker
else:
    from vllm.v1.worker.gpu_worker import Worker as DeviceWorker

STALL_SECONDS = 13.0
_MARK = re.compile("KILL|BREAK|STALL")


class Worker(DeviceWorker):  # type: ignore[misc]
    """The worker that vLLM has for this device, with failures to order."""

    _tokenizer: Any = None

    def execute_model(self, scheduler_output: Any) -> Any:
        for request in scheduler_output.scheduled_new_reqs:
            mark = _MARK.search(self._text(request.prompt_token_ids or []))
            if mark is not None:
                _fail(mark[0])
        return super().execute_model(scheduler_output)

    def _text(self, tokens: list[int]) -> str:
        from tokenizers import Tokenizer

        if self._tokenizer is None:
            folder = Path(self.vllm_config.model_config.model)
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        return str(self._tokenizer.decode(tokens))


def _fail(mark: str) -> None:
    if mark == "KILL":
        os.kill(os.getpid(), signal.SIGKILL)
    if mark == "BREAK":
        raise RuntimeError("the worker met a request that is marked to break it")
    time.sleep(STALL_SECONDS)
