"""Texts and pairs as the prompts of a pooling model, by its own tokenizer; no engine is started."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.records import Ask, Message
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.vllm import kinds
from llmbatch.engines.vllm.pooling_engine import PoolingEngine
from tests.engines.vllm import session
from tests.pooling import models

CLS, SEP = 2, 3
QUERY, LONG = "hello world", "the refund is late " * 10


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A cross-encoder and an embedding model without weights."""
    made = {}
    for name, architecture in (("pair", "BertForSequenceClassification"), ("apart", "BertModel")):
        folder = made[name] = tmp_path_factory.mktemp(name) / "model"
        folder.mkdir()
        models.tokenizer(folder)
        config = {"architectures": [architecture], "model_type": "bert", "num_labels": 1}
        (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    bare = made["bare"] = models.copied(session.MODEL, tmp_path_factory.mktemp("bare") / "model")
    head = {"architectures": ["Qwen3ForSequenceClassification"], "num_labels": 1}
    models.change(bare / "config.json", head)
    models.embedder(made["apart"], "mean_tokens", prompts={"query": "how ", "document": "the "})
    return made


def engine(folder: Path, ask: Ask, limit: int = 16) -> PoolingEngine:
    config = EngineConfig(str(folder), {"max_model_len": limit}, ask=ask)
    made = kinds.create(config)
    assert isinstance(made, PoolingEngine)
    return made


def pair(document: str, query: str = QUERY) -> list[Message]:
    return [Message("query", query), Message("document", document)]


def encoded(folder: Path, messages: list[Message], **settings: Any) -> list[int]:
    return engine(folder, Ask("score", **settings)).encode(messages) or []


def test_the_document_of_a_pair_is_cut_and_its_last_token_kept(folders: dict[str, Path]) -> None:
    whole = encoded(folders["pair"], pair(LONG))
    cut = encoded(folders["pair"], pair(LONG), overflow="truncate")
    assert (len(whole), len(cut)) == (45, 16)
    assert cut == [*whole[:15], SEP]
    short = pair("late")
    assert encoded(folders["pair"], short, overflow="truncate") == encoded(folders["pair"], short)


def test_each_text_of_a_cosine_is_a_prompt_of_its_own_after_its_prefix(
    folders: dict[str, Path],
) -> None:
    cut = encoded(folders["apart"], pair(LONG), overflow="truncate")
    whole = encoded(folders["apart"], pair(LONG))
    query = encoded(folders["apart"], pair("late"))[:5]
    assert (query[0], query[-1], len(query)) == (CLS, SEP, 5)  # how hello world
    assert cut[:5] == whole[:5] == query
    assert len(cut) == 5 + 16
    assert cut[5:] == [*whole[5:20], SEP]


@pytest.mark.parametrize(
    ("name", "messages", "words"),
    [
        ("pair", pair("late", query=LONG), "first text leaves no room for the second in 16 tokens"),
        ("apart", pair("late", query=LONG), "query has 43 tokens, the model takes 16"),
    ],
)
def test_a_query_that_is_too_long_is_never_cut(
    folders: dict[str, Path], name: str, messages: list[Message], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        encoded(folders[name], messages, overflow="truncate")


def test_a_text_that_no_cut_is_asked_of_is_left_whole(folders: dict[str, Path]) -> None:
    made = engine(folders["pair"], Ask("heads", overflow="truncate"))
    assert len(made.encode([Message("text", LONG)]) or ()) == 16


def test_a_pair_that_nothing_parts_is_noticed(folders: dict[str, Path]) -> None:
    """Of a reranker made of a language model: no file of it has the template of its makers."""
    asked = [pair("late")]
    (notice,) = engine(folders["bare"], Ask("score")).try_chats(asked)
    assert notice.startswith("the model's tokenizer puts nothing between the two texts of a pair")
    assert engine(folders["pair"], Ask("score")).try_chats(asked) == []
    assert engine(folders["apart"], Ask("score")).try_chats(asked) == []
