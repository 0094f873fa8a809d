"""vLLM's own figures of a model's memory, without its weights: a program for a process alone.

`python -m tests.engines.vllm.figures FOLDER` builds vLLM's own class of each model in FOLDER on
torch's meta device, where numbers have a size and no place, adds up its parameters, and asks
vLLM for the specification of the cache of each layer. It prints a JSON object by folder name:
`weight_bytes`, `token_bytes`, `cache_tokens` (how many tokens, in sequences of LENGTH, vLLM finds
room for in CACHE bytes), or `refused`, the reason why vLLM builds no such model here.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

CACHE = 8 << 30
LENGTH = 4096


def figures(folder: Path) -> dict[str, Any]:
    import torch
    from vllm.config import set_current_vllm_config
    from vllm.engine.arg_utils import EngineArgs
    from vllm.model_executor.model_loader.utils import initialize_model
    from vllm.utils.torch_utils import set_default_torch_dtype

    arguments = EngineArgs(
        str(folder), enforce_eager=True, load_format="dummy", skip_tokenizer_init=True,
        max_model_len=LENGTH, block_size=32, max_num_batched_tokens=LENGTH,
    )  # fmt: skip
    config = arguments.create_engine_config()
    with set_current_vllm_config(config):
        _one_process()
        with set_default_torch_dtype(config.model_config.dtype), torch.device("meta"):
            model = initialize_model(config)
        return {
            "weight_bytes": sum(each.nbytes for each in model.parameters()),
            **_cache(config),
        }


def _cache(config: Any) -> dict[str, float]:
    from vllm.config import get_layers_from_vllm_config
    from vllm.model_executor.layers.attention_layer_base import AttentionLayerBase
    from vllm.v1.core import kv_cache_utils

    config.cache_config.kv_cache_layout = "LBNHC"  # how numbers lie there, not how many there are
    layers = get_layers_from_vllm_config(config, AttentionLayerBase)
    specs = {name: layer.get_kv_cache_spec(config) for name, layer in layers.items()}
    made = kv_cache_utils.get_kv_cache_configs(config, [specs], [CACHE])[0]
    at_once = kv_cache_utils.get_max_concurrency_for_kv_cache_config(config, made)
    return {
        "token_bytes": sum(spec.page_size_bytes / spec.block_size for spec in specs.values()),
        "cache_tokens": at_once * LENGTH,
    }


def _one_process() -> None:
    from vllm.distributed import parallel_state

    if not parallel_state.model_parallel_is_initialized():
        parallel_state.init_distributed_environment(1, 0, "tcp://127.0.0.1:29555", 0, "gloo")
        parallel_state.initialize_model_parallel()


def main() -> None:
    out = os.dup(1)
    os.dup2(2, 1)  # vLLM logs to stdout
    found = {}
    for folder in sorted(Path(sys.argv[1]).iterdir()):
        try:
            found[folder.name] = figures(folder)
        except Exception as error:
            found[folder.name] = {"refused": f"{type(error).__name__}: {error}"}
    os.write(out, json.dumps(found).encode())


if __name__ == "__main__":
    main()
