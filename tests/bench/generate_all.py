"""The baseline of `bench.py`: everything handed to `LLM.generate` at once.

Reads the task as JSON from standard input and the requests from the file named first; writes the
seconds of `generate` and the tokens as JSON to the file named second (vLLM prints what it likes).
"""

import json
import sys
import time
from pathlib import Path


def main() -> None:
    from vllm import LLM, SamplingParams

    task = json.load(sys.stdin)
    requests = json.loads(Path(sys.argv[1]).read_text())
    llm = LLM(model=task["model"], **task["engine"])
    tokenizer = llm.get_tokenizer()
    prompts = [
        tokenizer.apply_chat_template(
            [{"role": role, "content": text} for role, text in messages],
            tokenize=False,
            add_generation_prompt=True,
        )
        for messages in requests
    ]
    sampling = SamplingParams(temperature=0.0, max_tokens=task["max_tokens"])
    began = time.perf_counter()
    outputs = llm.generate(prompts, sampling, use_tqdm=False)
    seconds = time.perf_counter() - began
    tokens = sum(len(output.outputs[0].token_ids) for output in outputs)
    Path(sys.argv[2]).write_text(json.dumps({"seconds": seconds, "tokens": tokens}))


if __name__ == "__main__":
    main()
