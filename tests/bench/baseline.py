"""The other side of the comparisons: `LLM.generate`, in a process of its own.

Reads a task as JSON from standard input and measures its variants one after the other in one life
of the engine, with an empty prefix cache before each; writes what it measured as JSON to the file
named first (vLLM prints what it likes).
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Counted:
    """Counts the steps of an engine, of whichever way it is driven."""

    def __init__(self, engine: Any) -> None:
        self.steps = 0
        self._step = engine.step
        engine.step = self

    def __call__(self) -> Any:
        self.steps += 1
        return self._step()


def prompts_of(llm: Any, requests: Sequence[Any]) -> list[str]:
    """The requests as the chat template writes them."""
    tokenizer = llm.get_tokenizer()
    return [
        tokenizer.apply_chat_template(
            [{"role": role, "content": text} for role, text in messages],
            tokenize=False,
            add_generation_prompt=True,
        )
        for messages in requests
    ]


def measure(llm: Any, counted: Counted, variant: dict[str, Any]) -> dict[str, Any]:
    """All prompts at once or, with a chunk size, one `generate` after the other."""
    from vllm import SamplingParams

    prompts = prompts_of(llm, json.loads(Path(variant["requests"]).read_text()))
    sampling = SamplingParams(
        temperature=0.0,
        max_tokens=variant["max_tokens"],
        structured_outputs=_choice(variant["choice"]),
    )
    size = variant.get("chunk") or len(prompts)
    llm.reset_prefix_cache()
    steps = counted.steps
    outputs = []
    began = time.perf_counter()
    for start in range(0, len(prompts), size):
        outputs += llm.generate(prompts[start : start + size], sampling, use_tqdm=False)
    seconds = time.perf_counter() - began
    lengths = [len(output.outputs[0].token_ids) for output in outputs]
    return {
        "seconds": seconds,
        "requests": len(outputs),
        "prompt_tokens": sum(len(output.prompt_token_ids) for output in outputs),
        "cached_tokens": sum(output.num_cached_tokens or 0 for output in outputs),
        "output_tokens": sum(lengths),
        "longest": max(lengths),
        "steps": counted.steps - steps,
    } | ({"answers": [output.outputs[0].text for output in outputs]} if variant["choice"] else {})


def _choice(answers: Sequence[str] | None) -> Any:
    from vllm.sampling_params import StructuredOutputsParams

    return StructuredOutputsParams(choice=list(answers)) if answers else None


def main() -> None:
    from vllm import LLM

    task = json.load(sys.stdin)
    llm = LLM(model=task["model"], **task["engine"])
    counted = Counted(llm.llm_engine)
    if task.get("warm_up"):
        llm.generate(["warm up"], use_tqdm=False)
    measured = {name: measure(llm, counted, value) for name, value in task["variants"].items()}
    Path(sys.argv[1]).write_text(json.dumps(measured))


if __name__ == "__main__":
    main()
