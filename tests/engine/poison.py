"""A real vLLM and a real request that kills it: `--engine tests.engine.poison:create`.

A request with the word POISON asks for an adapter whose folder does not exist. vLLM notices
that in its engine core, which ends of it, with all that is in flight. (llmbatch itself offers
no adapters per request.)
"""

import copy
import dataclasses
from typing import Any

from llmbatch.engines import vllm
from llmbatch.engines.base import EngineConfig
from llmbatch.engines.vllm_client import Client

WORD = "POISON"
OPTIONS = {"enable_lora": True, "max_num_seqs": 2, "enforce_eager": True}


def create(config: EngineConfig) -> "PoisonedEngine":
    """The factory that the registry calls."""
    plain = vllm.create(dataclasses.replace(config, options=OPTIONS | dict(config.options)))
    return PoisonedEngine(plain._config, plain._options, plain._folder)


class PoisonedEngine(vllm.VllmEngine):
    """vLLM, and a deadly request for each that has the word."""

    def _start(self, client: Client, options: dict[str, Any]) -> None:
        super()._start(client, options)
        from vllm.lora.request import LoRARequest

        assert self._crew is not None
        send, decode = client.add, self._crew.texts.decode

        def add(number: str, tokens: list[int], pattern: Any) -> None:
            if WORD in decode(tokens, stopped=False):
                pattern = copy.copy(pattern)
                pattern.lora_request = LoRARequest("missing", 1, "/nonexistent/adapter")
            send(number, tokens, pattern)

        client.add = add  # type: ignore[method-assign]
