"""The tokenizer of the demonstration model: byte-level BPE, trained on the training tickets."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from string import ascii_uppercase

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

VOCABULARY = 1280
CONTEXT = 1024
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
PAD, START, END = range(len(SPECIAL))  # the trainer gives special tokens the first ids
# What an answer copies must be cut into the same tokens wherever it stands. So every digit is one
# token, and the prefix of an order id (`A-`, `ORD-`) and a capitalised word (a name) never take
# the space or quote before them along. Escapes are pieces so that this holds in JSON records too.
PIECES = (
    r"\\[nt\"]|[A-Z]{1,3}-(?=\d)|\p{Lu}\p{L}*| ?\p{Ll}\p{L}*|\d"
    r"| ?[^\s\p{L}\d\\]+|\\|\s+(?!\S)|\s+"
)
# Each prefix should be one token: of the letter alone the model could not know, when it reads it,
# that an order id begins. Seen this often they all become merges.
PREFIXES = [f"{letter}-1" for letter in ascii_uppercase] * 5000
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Learns the merges; all 256 bytes are in the vocabulary, so any input can be written."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(itertools.chain(texts, PREFIXES), trainer)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Writes tokenizer.json, tokenizer_config.json and the chat template."""
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = CHAT_TEMPLATE
    wrapped.save_pretrained(folder)
    # A class name that older releases of transformers know as well.
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(config, indent=2) + "\n")


def render(messages: Iterable[dict[str, str]]) -> str:
    """The same text as the chat template with a generation prompt, without Jinja's cost."""
    turns = (f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in messages)
    return "".join(turns) + "<|im_start|>assistant\n"
