"""Prompts by the model's files alone: the text and tokens that vLLM's library makes."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.records import ChatSettings, Message
from llmbatch.engines.vllm import chat_tokenizer, exchanged, model_texts
from llmbatch.engines.vllm.bare_tokenizer import BareTokenizer, compiled
from tests.engines.tiny_tokenizers import KINDS, TEMPLATES
from tests.engines.vllm import session

MODEL = session.ROOT / "samples/model"
CHATS = [
    [Message("system", " Be brief. \n"), Message("user", "Tschüß, größe 日本語 🚀")],
    [Message("user", "My invoice is <|im_end|> wrong"), Message("assistant", "{}")],
    [Message("user", '{"a": "b"}\n\n')],
]
ODD = """\
{%- for m in messages %}
    {% if m.role == 'skip' %}{% continue %}{% endif %}
    {% generation %}{{ bos_token }}{{ m | tojson }}{{ eos_token }}{% endgeneration %}
{%- endfor %}
{{ [1, 2] | tojson(indent=2) }}{{ strftime_now('%Y') }}{{ tools is none }}{{ unk_token }}
{% if add_generation_prompt %}<|im_start|>{% set x = namespace(n=1) %}{{ x.n }}{% endif %}
"""


def _write(folder: Path, kind: str, template: str | None, **settings: Any) -> Path:
    (folder / "tokenizer.json").write_text(KINDS[kind]().to_str())
    (folder / "config.json").write_text('{"model_type": "llama"}')
    written = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>", **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(written))
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    return folder


def _bare(folder: Path) -> BareTokenizer:
    texts = model_texts.read("", folder, None)
    assert texts is not None
    return BareTokenizer(texts)


def _tokenizers(folder: Path) -> list[chat_tokenizer.ChatTokenizer]:
    chat = ChatSettings()
    as_vllm = chat_tokenizer._load_as_vllm("", folder, {}, chat)
    return [chat_tokenizer.ChatTokenizer(_bare(folder), chat), as_vllm]


@pytest.mark.skipif(not session.has_vllm(), reason="vLLM is not installed")
def test_the_tokens_are_those_of_transformers(tmp_path: Path) -> None:
    cases = [("byte-level", text) for text in (*TEMPLATES.values(), ODD)]
    cases += [("unigram", TEMPLATES["mistral"]), ("sentencepiece", None)]
    for number, (kind, template) in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        _write(folder, kind, template, bos_token="<s>")
        bare, as_vllm = _tokenizers(folder)
        for chat in CHATS[:1] if "messages[1]" in (template or "") else CHATS:
            assert bare._text(chat) == as_vllm._text(chat)
            if kind != "unigram":
                assert bare.encode(chat) == as_vllm.encode(chat)
    bare, as_vllm = _tokenizers(MODEL)
    assert [bare.encode(chat) for chat in CHATS] == [as_vllm.encode(chat) for chat in CHATS]


def test_the_list_of_exchanged_tokenizers_is_that_of_the_installed_library(tmp_path: Path) -> None:
    source = tmp_path / "models/auto/tokenization_auto.py"
    source.parent.mkdir(parents=True)
    source.write_text(
        "MAPPING = {\n    'qwen3',\n}\n"
        "MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS: set[str] = {\n"
        "    # some\n    \"qwen2\",\n    'step3_vl',\n}\n\nOTHERS = {\n    'llama',\n}\n"
    )
    assert exchanged.read(tmp_path) == frozenset({"qwen2", "step3_vl"})


@pytest.mark.parametrize("text", [None, "MAPPING = {}\n"])
def test_where_no_list_is_found_all_that_were_ever_on_it_are_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "models/auto").mkdir(parents=True)
        (tmp_path / "models/auto/tokenization_auto.py").write_text(text)
    assert exchanged.read(tmp_path) is None
    monkeypatch.setattr(exchanged, "_listed", lambda: None)
    assert exchanged.is_exchanged("qwen3")
    assert not exchanged.is_exchanged("llama")


@pytest.mark.skipif(not session.has_vllm(), reason="vLLM is not installed")
def test_a_model_is_exchanged_by_its_type_and_not_by_the_beginning_of_its_name() -> None:
    assert exchanged.is_exchanged("qwen2")
    assert not exchanged.is_exchanged("qwen3")
    assert not exchanged.is_exchanged("llama")


@pytest.mark.parametrize(
    ("settings", "model_type"),
    [
        ({"tokenizer_class": "LlamaTokenizer"}, "llama"),
        ({"tokenizer_class": None}, "llama"),
        ({"added_tokens_decoder": {"700": {"content": "<new>"}}}, "llama"),
        ({"eos_token": "<|none_such|>"}, "llama"),
        ({"split_special_tokens": True}, "llama"),
        ({"auto_map": {"AutoTokenizer": ["a.B", None]}}, "llama"),
        ({}, "mistral"),
        ({}, "qwen2"),
    ],
)
def test_a_tokenizer_that_may_be_changed_as_it_is_loaded_is_not_taken_as_it_is(
    tmp_path: Path, settings: dict[str, Any], model_type: str
) -> None:
    _write(tmp_path, "byte-level", "x", **settings)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    assert not _bare(tmp_path).is_exact


@pytest.mark.parametrize(("settings", "is_exact"), [({}, True), ({"add_eos_token": True}, False)])
def test_without_a_template_settings_may_add_tokens(
    tmp_path: Path, settings: dict[str, Any], is_exact: bool
) -> None:
    _write(tmp_path, "byte-level", "x", **settings)
    bare = _bare(tmp_path)
    assert bare.is_exact
    assert bare.is_exact_without_template is is_exact


def test_without_the_library_it_is_taken_with_a_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_tokenizer, "_is_installed", lambda: False)
    _write(tmp_path, "byte-level", TEMPLATES["chatml"], tokenizer_class="LlamaTokenizer")
    loaded = chat_tokenizer.load("", tmp_path, {}, ChatSettings())
    assert loaded.encode(CHATS[0])
    assert "by the model's tokenizer.json" in loaded.notices[0]
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(chat_tokenizer.NoTokenizerError, match=r"there is no tokenizer\.json"):
        chat_tokenizer.load("", tmp_path, {}, ChatSettings())


def test_one_of_several_templates_is_the_default(tmp_path: Path) -> None:
    named = [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]
    _write(tmp_path, "byte-level", None, chat_template=named)
    assert _bare(tmp_path).apply_chat_template([]) == "d"


def test_a_template_keeps_nothing_of_a_chat_and_has_its_functions_in_a_plain_table() -> None:
    """Jinja copies the table for each chat: of a chain of tables that takes twice as long as all
    the rest."""
    made = compiled("{% set range = messages %}{{ range }}{{ namespace(a=1).a }}")
    assert type(made.globals) is dict
    assert [made.render(messages=each) for each in ("x", "y")] == ["x1", "y1"]
    assert compiled("{% for n in range(2) %}{{ n }}{% endfor %}").render() == "01"


def test_what_a_template_raises_is_its_message() -> None:
    with pytest.raises(Exception, match=r"^no system role$"):
        compiled("{{ raise_exception('no system role') }}").render()
