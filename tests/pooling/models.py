"""Small random models that pool, made as their makers would store them."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_WORDS = """
    the a of to in and is was for on refund invoice ticket paid late order broken screen hello world
    how do i reset my password where when parcel lost card charged twice please help
"""
WORDS = _WORDS.split()
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VOCABULARY = [*_SPECIAL, *WORDS, "##s", "[", "]", "sep", "."]
_STEPS = ("Transformer", "Pooling", "Normalize")


def bert(folder: Path, *, labels: int | None = None, **settings: Any) -> Path:
    """A random BERT with a tokenizer of a few words: with a head for so many labels, or without."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertModel

    torch.manual_seed(7)
    sizes = {
        "vocab_size": len(VOCABULARY),
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 128,
        "max_position_embeddings": 64,
        "initializer_range": 0.3,
    }
    if labels is None:
        model: Any = BertModel(BertConfig(**sizes))
    else:
        model = BertForSequenceClassification(BertConfig(**sizes, num_labels=labels))
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    change(folder / "config.json", settings)
    tokenizer(folder)
    return folder


def tokenizer(folder: Path) -> None:
    """Put the tokenizer of a few words into the folder of a model."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    made = Tokenizer(
        models.WordPiece({word: n for n, word in enumerate(VOCABULARY)}, unk_token="[UNK]")
    )
    made.add_special_tokens(list(_SPECIAL))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    made.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "BertTokenizer",
        "model_max_length": 64,
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "mask_token": "[MASK]",
    }
    write(folder / "tokenizer_config.json", settings)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))


def embedder(
    folder: Path,
    mode: str,
    *,
    normalize: bool = True,
    max_length: int | None = None,
    prompts: Mapping[str, str] | None = None,
    **more: Any,
) -> Path:
    """The model of a folder with the files of sentence-transformers: pooled by `mode`."""
    names = _STEPS if normalize else _STEPS[:2]
    paths = ("", "1_Pooling", "2_Normalize")
    steps = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{name}"}
        for n, (name, path) in enumerate(zip(names, paths, strict=False))
    ]
    write(folder / "modules.json", steps)
    (folder / "1_Pooling").mkdir()
    modes = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "lasttoken")
    pooling = {f"pooling_mode_{name}": name == mode for name in modes}
    write(folder / "1_Pooling" / "config.json", pooling | more)
    if max_length is not None:
        table = {"max_seq_length": max_length, "do_lower_case": False}
        write(folder / "sentence_bert_config.json", table)
    if prompts is not None:
        write(folder / "config_sentence_transformers.json", {"prompts": dict(prompts)})
    return folder


def copied(model: Path, folder: Path) -> Path:
    """A copy of a model, to be changed."""
    shutil.copytree(model, folder, ignore=shutil.ignore_patterns("*.py", "*.md"))
    return folder


def change(path: Path, settings: Mapping[str, Any]) -> None:
    """Set keys of a JSON file."""
    write(path, json.loads(path.read_text()) | dict(settings))


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1))
