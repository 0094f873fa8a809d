#!/usr/bin/env bash
# tokenizers: with `encode_special_tokens = True` (transformers: `split_special_tokens`) some control
# tokens are still made of plain text: those that are not called special, such as <think>, and, with a
# Unigram vocabulary, also special ones, since its pieces are looked for in any text.
#
# One expects of a switch that encodes special tokens as text that no text becomes one. Whoever relies on
# it to keep data apart from a chat template's own tokens has to look at the ids that come out.
#
# Seen with tokenizers 0.23.3, Python 3.11 (the pieces, by model):
#   BPE      a</s>b       a < / s > b
#   BPE      a<think>b    a <think> b
#   Unigram  a</s>b       a </s> b
#   Unigram  a<think>b    a <think> b
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check tokenizers==0.23.3
"$folder/env/bin/python" - >"$folder/seen" <<'PYTHON'
from tokenizers import AddedToken, Tokenizer, models

LETTERS = ["a", "b", "<", "/", "s", ">", "t", "h", "i", "n", "k"]
MODELS = {
    "BPE": models.BPE({piece: number for number, piece in enumerate(["</s>", *LETTERS])}, []),
    "Unigram": models.Unigram([("</s>", 0.0), *((letter, -2.0) for letter in LETTERS)]),
}
for name, model in MODELS.items():
    tokenizer = Tokenizer(model)
    tokenizer.add_special_tokens([AddedToken("</s>", special=True)])
    tokenizer.add_tokens([AddedToken("<think>")])
    tokenizer.encode_special_tokens = True
    for text in ("a</s>b", "a<think>b"):
        print(f"{name:8} {text:12} {' '.join(tokenizer.encode(text).tokens)}")
PYTHON
cat "$folder/seen"
sed -n '/^# Seen/,/^set/s/^#   //p' "$0" | diff - "$folder/seen"
