"""A real vLLM and a real request that kills it: `--engine tests.engine.poison:create`.

A request with the word POISON asks for an adapter whose folder does not exist. vLLM notices
that in its engine core, which ends of it, with all that is in flight. (llmbatch itself offers
no adapters per request.)
"""

import dataclasses

from llmbatch.core.outcomes import Failed
from llmbatch.core.records import Request
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

    def _send(self, client: Client, request: Request, flight: dict[str, Request]) -> Failed | None:
        if not any(WORD in message.content for message in request.messages):
            return super()._send(client, request, flight)
        from vllm.lora.request import LoRARequest

        adapter = LoRARequest("missing", 1, "/nonexistent/adapter")
        prompt = {"type": "token", "prompt_token_ids": self._texts.encode(request.messages)}
        parameters = self._parameters.of(request.sampling, request.constraint)
        number = str(self._sent)
        self._sent += 1
        client.engine.add_request(number, prompt, parameters, lora_request=adapter)
        flight[number] = request
        return None
