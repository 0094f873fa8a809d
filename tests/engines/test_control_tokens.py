# ruff: noqa: RUF001
"""The control tokens of a model by its files, and where a text holds one."""

import json
from pathlib import Path

import pytest

from llmbatch.engines import control_tokens
from llmbatch.engines.control_tokens import Finder, is_control


@pytest.mark.parametrize(
    "text", ["<think>", "</think>", "<tool_call>", "[INST]", "[/INST]", "<|im_end|>", "<｜User｜>"]
)
def test_markup_controls_a_model_whatever_the_tokenizer_calls_it(text: str) -> None:
    assert is_control(text, special=False)


@pytest.mark.parametrize(
    "text", ["  ", "\n\n", "word", "|||PHONE|||", "<table>", "</b>", "<", "[]"]
)
def test_runs_of_spaces_words_and_html_do_not(text: str) -> None:
    assert not is_control(text, special=False)
    assert is_control(text, special=True) == bool(text.strip())


def test_all_files_of_a_model_are_read(tmp_path: Path) -> None:
    assert control_tokens.in_folder(tmp_path) is None
    added = [
        {"id": 1, "content": "<|a|>", "special": True},
        {"id": 2, "content": "<think>", "special": False},
        {"id": 3, "content": "   ", "special": False},
    ]
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    decoder = {"4": {"content": "<|b|>", "special": True}, "5": {"content": "x", "special": False}}
    config = {"added_tokens_decoder": decoder, "eos_token": "<|c|>", "bos_token": None}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    names = {"pad_token": {"content": "PAD"}, "additional_special_tokens": ["<|d|>", "<|a|>"]}
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(names))
    (tmp_path / "added_tokens.json").write_text(json.dumps({"[TOOL]": 9, "word": 10}))
    assert control_tokens.in_folder(tmp_path) == (
        "<think>", "<|a|>", "<|b|>", "<|c|>", "<|d|>", "PAD", "[TOOL]",
    )  # fmt: skip


def test_files_of_another_form_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("[1")
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": 3, "added_tokens_decoder": []}')
    (tmp_path / "special_tokens_map.json").write_text("[]")
    assert control_tokens.in_folder(tmp_path) is None


def test_the_first_and_longest_token_is_found() -> None:
    finder = Finder(["<|end|>", "<|end|>x", "<|e", "[INST]", "<|user|>", "."])
    assert finder.find("no token <|en [INS") == "<|e"
    assert finder.find("a <|end|>xy [INST]") == "<|end|>x"
    assert finder.find("a [INST] <|end|>") == "[INST]"
    assert finder.find("plain < [ text") is None
    assert finder.held_by(["plain", "a.b", "<|e"]) == "."
    assert Finder([]).held_by(["<|end|>"]) is None


def test_thousands_of_tokens_are_looked_for_at_once() -> None:
    finder = Finder([f"<unused{n}>" for n in range(3000)] + ["<start_of_turn>"])
    assert finder.find("<unused30>0>") == "<unused30>"
    assert finder.find("<unused2999>") == "<unused2999>"
    assert finder.find("<unused3000> <unuse" * 100) is None
