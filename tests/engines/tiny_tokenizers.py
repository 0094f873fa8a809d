# ruff: noqa: RUF001
"""Chat templates of ten styles, and tiny tokenizers of three kinds with their control tokens."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from llmbatch.core.records import Message

LOOP = "{% for m in messages %}"
END = "{% endfor %}"

TEMPLATES: dict[str, str | None] = {
    "chatml": LOOP + "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n" + END
    + "<|im_start|>assistant\n",
    "llama3": "<|begin_of_text|>" + LOOP
    + "<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>" + END
    + "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "gemma": "<bos>{% if messages[0].role == 'system' %}"
    "{% set first = messages[0].content ~ '\n\n' %}{% set rest = messages[1:] %}"
    "{% else %}{% set first = '' %}{% set rest = messages %}{% endif %}"
    "{% for m in rest %}<start_of_turn>{{ m.role }}\n"
    "{{ (first if loop.first else '') ~ m.content | trim }}<end_of_turn>\n{% endfor %}"
    "<start_of_turn>model\n",
    "mistral": "<s>{% if messages[0].role == 'system' %}[INST] {{ messages[0].content }}\n\n"
    "{{ messages[1].content }}[/INST]{% else %}[INST] {{ messages[0].content }}[/INST]{% endif %}",
    "phi": LOOP + "<|{{ m.role }}|>\n{{ m.content }}<|end|>\n" + END + "<|assistant|>\n",
    "deepseek": "<｜begin▁of▁sentence｜>" + LOOP + "{% if m.role == 'system' %}{{ m.content }}"
    "{% else %}<｜User｜>{{ m.content }}{% endif %}" + END + "<｜Assistant｜><think>\n",
    "granite": "{% if messages[0].role != 'system' %}<|start_of_role|>system<|end_of_role|>"
    "You are Granite.<|end_of_text|>\n{% endif %}" + LOOP
    + "<|start_of_role|>{{ m.role }}<|end_of_role|>{{ m.content }}<|end_of_text|>\n" + END
    + "<|start_of_role|>assistant<|end_of_role|>",
    "qwen3": LOOP + "{% if m.role == 'assistant' %}{% set c = m.content.split('</think>')[-1] %}"
    "{% else %}{% set c = m.content %}{% endif %}"
    "<|im_start|>{{ m.role }}\n{{ c.lstrip('\n') }}<|im_end|>\n" + END
    + "<|im_start|>assistant\n<think>\n\n</think>\n\n",
    "harmony": "<|start|>system<|message|>You are a model.\nReasoning: low<|end|>"
    "{% if messages[0].role == 'system' %}<|start|>developer<|message|># Instructions\n\n"
    "{{ messages[0].content }}\n\n<|end|>{% set rest = messages[1:] %}"
    "{% else %}{% set rest = messages %}{% endif %}"
    "{% for m in rest %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endfor %}"
    "<|start|>assistant",
    "none": None,
}  # fmt: skip
"""By style; None: the contents, one after the other."""

# By the side on which a token takes in white space.
SPECIAL = {
    "": [
        "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>",
        "<|end_header_id|>", "<|eot_id|>", "<bos>", "<start_of_turn>", "<end_of_turn>",
        "<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<|start_of_role|>",
        "<|end_of_role|>", "<|end_of_text|>", "<|start|>", "<|message|>", "[INST]", "[/INST]",
    ],
    "right": ["<|end|>", "<|user|>", "<|system|>", "<|assistant|>"],
    "left": ["<|image|>"],
}  # fmt: skip
MARKUP = ["<think>", "</think>", "<tool_call>", "</tool_call>"]
PLAIN = ["  ", "    ", "<table>", "</table>", "|||PHONE|||"]
"""Added tokens that are none of control: runs of white space, HTML, a word."""

CORPUS = [
    "My invoice is wrong, please send the money back to me. <table>x</table> [1] <b>",
    "Classify this ticket: user system assistant model billing refund </s> <|im_end|> ok",
    "Tschüß, größe, 日本語, naïve café 🚀 and 12345 numbers; {\"a\": 1}",
] * 4  # fmt: skip


def _added(tokenizer: Tokenizer, *, normalized: bool = False) -> Tokenizer:
    for side, texts in SPECIAL.items():
        tokenizer.add_special_tokens(
            [
                AddedToken(
                    text,
                    special=True,
                    normalized=normalized,
                    lstrip=side == "left",
                    rstrip=side == "right",
                )
                for text in texts
            ]
        )
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in [*MARKUP, *PLAIN]])
    return tokenizer


def byte_level() -> Tokenizer:
    """Like GPT-2, Llama 3 and Qwen."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=alphabet, special_tokens=["<s>", "</s>"]
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return _added(tokenizer)


def sentencepiece() -> Tokenizer:
    """Like Llama 2 and Mistral: words begin with a mark, what is unknown is given byte by byte."""
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Replace(" ", "▁")
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>", "<s>", "</s>"])
    trained.train_from_iterator(CORPUS, trainer)
    vocabulary = trained.get_vocab()
    for byte in range(256):
        vocabulary.setdefault(f"<0x{byte:02X}>", len(vocabulary))
    merges = [tuple(merge) for merge in json.loads(trained.to_str())["model"]["merges"]]
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])]
    )
    tokenizer.add_special_tokens(
        [AddedToken(text, special=True, normalized=False) for text in ("<unk>", "<s>", "</s>")]
    )
    return _added(tokenizer)


def unigram() -> Tokenizer:
    """Like T5: pieces by their probability, of a text that is normalized first, as the control
    tokens are."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=300, special_tokens=["<unk>", "<s>", "</s>"], unk_token="<unk>"
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return _added(tokenizer, normalized=True)


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "byte-level": cache(byte_level),
    "sentencepiece": cache(sentencepiece),
    "unigram": cache(unigram),
}


@cache
def renderer(style: str) -> Callable[[Sequence[Message]], str]:
    """A function that renders a chat in this style, as transformers does it."""
    text = TEMPLATES[style]
    if text is None:
        return lambda messages: "\n\n".join(message.content for message in messages)
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(text)

    def render(messages: Sequence[Message]) -> str:
        chat: list[dict[str, Any]] = [
            {"role": message.role, "content": message.content} for message in messages
        ]
        return template.render(messages=chat)

    return render
