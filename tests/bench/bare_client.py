"""The other side of `front-row`: vLLM's own client for the same requests, without llmbatch.

Reads a task as JSON from standard input: `model`, `engine`, `max_tokens`, `requests` (a file of
chats) and `counts`. Writes for each way, to the file named first, the processor seconds that this
process takes for so many requests of the file. Their prompts are encoded before; the engine core
has processes of its own. `client`: LLMEngine with texts as answers; `messages`: no more than what
goes to the engine core and comes from it.
"""

import copy
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.bench.baseline import prompts_of

Way = Callable[[Any, Sequence[list[int]], Any], None]
_numbers = map(str, itertools.count())


def client(engine: Any, prompts: Sequence[list[int]], sampling: Any) -> None:
    """All requests through vLLM's LLMEngine."""
    for prompt in prompts:
        engine.add_request(next(_numbers), {"prompt_token_ids": prompt}, sampling)
    while engine.has_unfinished_requests():
        engine.step()


def messages(engine: Any, prompts: Sequence[list[int]], sampling: Any) -> None:
    """All requests past it: each a copy of one, and of the answers only their ends are seen."""
    prompt = {"type": "token", "prompt_token_ids": [0]}
    made = engine.input_processor.process_inputs(
        "template", prompt, sampling, supported_tasks=engine.get_supported_tasks()
    )
    for tokens in prompts:
        request = copy.copy(made)
        request.request_id = request.external_req_id = next(_numbers)
        request.prompt_token_ids = tokens
        engine.engine_core.add_request(request)
    left = len(prompts)
    while left:
        outputs = engine.engine_core.get_output().outputs
        left -= sum(output.finish_reason is not None for output in outputs)


WAYS: dict[str, Way] = {"client": client, "messages": messages}


def measure(engine: Any, prompts: Sequence[list[int]], task: dict[str, Any]) -> dict[str, Any]:
    """The seconds of each way for the first of the prompts, by their number."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    found: dict[str, dict[str, float]] = {}
    for name, way in WAYS.items():
        sampling = SamplingParams(
            temperature=0.0,
            max_tokens=task["max_tokens"],
            output_kind=RequestOutputKind.FINAL_ONLY,
            detokenize=name == "client",
        )
        found[name] = {}
        for count in task["counts"]:
            engine.reset_prefix_cache()
            began = time.process_time()
            way(engine, prompts[:count], sampling)
            found[name][str(count)] = time.process_time() - began
    return found


def main() -> None:
    from vllm.engine.arg_utils import EngineArgs
    from vllm.v1.engine.llm_engine import LLMEngine

    task = json.load(sys.stdin)
    arguments = EngineArgs(model=task["model"], **task["engine"])
    engine = LLMEngine.from_engine_args(arguments, enable_multiprocessing=True)
    tokenizer = engine.get_tokenizer()
    texts = prompts_of(engine, json.loads(Path(task["requests"]).read_text()))
    prompts = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    Path(sys.argv[1]).write_text(json.dumps(measure(engine, prompts, task)))
    engine.engine_core.shutdown()
    os._exit(0)  # vLLM's threads may wait for ever


if __name__ == "__main__":
    main()
