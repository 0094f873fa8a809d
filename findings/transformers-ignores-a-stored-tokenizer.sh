#!/usr/bin/env bash
# transformers: a model's own tokenizer class, such as `GPT2TokenizerFast`, takes only the vocabulary and
# the merges from tokenizer.json, and puts a normalizer and a pre-tokenizer of its own in place of those
# that the file holds. For qwen2 `AutoTokenizer` does so even if tokenizer_config.json names the class that
# takes the file as it is. Nothing is said of it.
#
# One expects a tokenizer that was saved with `save_pretrained` to be the same when it is loaded: the file
# holds all of it, and transformers 4 took all of it. A fine-tuned model with a tokenizer of its own
# gets other tokens than those it was trained on. qwen3, with the same class, is taken as it is.
#
# Seen with transformers 5.19.0, tokenizers 0.23.3, Python 3.11 (who loads, the tokens of "AB12"):
#   before it was saved                ab 12
#   AutoTokenizer, no config.json      ab 12
#   AutoTokenizer, model_type llama    ab 12
#   AutoTokenizer, model_type qwen3    ab 12
#   AutoTokenizer, model_type qwen2    A B 1 2
#   PreTrainedTokenizerFast            ab 12
#   GPT2TokenizerFast                  A B 12
#   LlamaTokenizerFast                 A B 12
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check transformers==5.19.0 tokenizers==0.23.3
"$folder/env/bin/python" - "$folder/model" >"$folder/seen" 2>/dev/null <<'PYTHON'
import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, GPT2TokenizerFast, LlamaTokenizerFast, PreTrainedTokenizerFast

CLASSES = {
    "PreTrainedTokenizerFast": PreTrainedTokenizerFast,
    "GPT2TokenizerFast": GPT2TokenizerFast,
    "LlamaTokenizerFast": LlamaTokenizerFast,
}
folder = Path(sys.argv[1])
vocabulary = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
merges = [("a", "b"), ("1", "2")]
for pair in merges:
    vocabulary["".join(pair)] = len(vocabulary)
made = Tokenizer(models.BPE(vocabulary, merges))
made.normalizer = normalizers.Lowercase()
made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
made.decoder = decoders.ByteLevel()


def show(name, tokenizer):
    print(f"{name:34} {' '.join(tokenizer.tokenize('AB12'))}")


tokenizer = PreTrainedTokenizerFast(tokenizer_object=made)
show("before it was saved", tokenizer)
tokenizer.save_pretrained(folder)
show("AutoTokenizer, no config.json", AutoTokenizer.from_pretrained(folder))
for kind in ("llama", "qwen3", "qwen2"):
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    show(f"AutoTokenizer, model_type {kind}", AutoTokenizer.from_pretrained(folder))
for name, own in CLASSES.items():
    show(name, own.from_pretrained(folder))
PYTHON
cat "$folder/seen"
sed -n '/^# Seen/,/^set/s/^#   //p' "$0" | diff - "$folder/seen"
