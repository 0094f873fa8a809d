"""A program: the one that tries levers, with trials that take for ever, but for the first."""

import time
from typing import Any

from llmbatch.engines.vllm import defaults, lever_trial


def _try(model: str, name: str, folder: str, seconds: float) -> dict[str, Any]:
    if name != lever_trial.BASE:
        time.sleep(600)
    return {}


if __name__ == "__main__":
    defaults.is_cpu_build = lambda: False
    lever_trial._apart = _try
    lever_trial.main()
