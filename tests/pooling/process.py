"""A module of this room, run in a process of its own: that of the tests has a vLLM already."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.engines.vllm import session

_SECONDS = 300


def result_of(module: str) -> Any:
    """The JSON on the last line that the module prints. Fails with the end of its errors."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.pooling.{module}"],
        cwd=session.ROOT,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])
