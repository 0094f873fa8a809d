"""The installed vLLM, by its own word: a program for a process of its own.

`python -m llmbatch.engines.vllm.import_trial` imports all that an engine imports, and prints one
JSON object. It starts no engine, and ends with a traceback where vLLM cannot be imported.
"""

import json
import os
from typing import Any

from llmbatch.core import clock


def main() -> None:
    """Import vLLM and print what it finds."""
    out = os.dup(1)
    os.dup2(2, 1)  # vLLM logs to stdout
    began = clock.seconds()
    import torch
    import vllm.model_executor.model_loader.weight_utils
    import vllm.v1.engine.llm_engine

    seconds = clock.seconds() - began
    found = {"vllm": vllm.__version__, "torch": torch.__version__, "seconds": round(seconds, 1)}
    os.write(out, json.dumps(found | _device()).encode() + b"\n")


def _device() -> dict[str, Any]:
    import torch
    from vllm.platforms import current_platform

    found: dict[str, Any] = {"device": current_platform.device_type, "cuda": torch.version.cuda}
    if current_platform.is_cuda_alike():
        found["devices"] = torch.cuda.device_count()
        capability = current_platform.get_device_capability()
        found["capability"] = None if capability is None else list(capability)
    return found


if __name__ == "__main__":
    main()
