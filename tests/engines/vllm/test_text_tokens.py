"""Texts as token ids: cut by the tokenizer, with the special tokens around them."""

from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from llmbatch.engines.vllm.contents_apart import MixedError
from llmbatch.engines.vllm.text_tokens import TextTokens

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "d", "q", "[", "]", "sep", "cls"]
UNK, CLS, SEP, A, B, C, D, Q = 1, 2, 3, 4, 5, 6, 7, 8


@pytest.fixture(scope="module")
def backend() -> Any:
    made = Tokenizer(models.WordPiece({w: n for n, w in enumerate(WORDS)}, unk_token="[UNK]"))
    made.add_special_tokens(WORDS[:4])
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)],
    )
    return made


@pytest.fixture(scope="module")
def texts(backend: Any) -> TextTokens:
    return TextTokens(backend)


def test_a_text_has_its_special_tokens(texts: TextTokens) -> None:
    assert texts.one("a b").ids == [CLS, A, B, SEP]
    assert texts.one("a b", "q ").ids == [CLS, Q, A, B, SEP]


def test_no_text_becomes_a_control_token(texts: TextTokens) -> None:
    assert texts.one("a [SEP] b").ids == [CLS, A, 9, 11, 10, B, SEP]
    assert texts.pair("[CLS]", "b").parts[0].ids == [CLS, 9, 12, 10, SEP, B, SEP]


def test_unknown_words_are_no_control_tokens(texts: TextTokens) -> None:
    assert texts.one("a zebra \N{PILE OF POO}").ids == [CLS, A, UNK, UNK, SEP]


@pytest.mark.parametrize(("limit", "parts"), [(6, 1), (5, 2), (4, 2), (3, 4)])
def test_parts_have_special_tokens_of_their_own(texts: TextTokens, limit: int, parts: int) -> None:
    made = texts.cut("a b c d", "", limit, split=True)
    assert len(made.parts) == parts
    assert [token for part in made.parts for token in part.ids[1:-1]] == [A, B, C, D]
    assert all(part.ids[0] == CLS and part.ids[-1] == SEP for part in made.parts)
    assert all(len(part.ids) <= limit for part in made.parts)
    assert [part.own for part in made.parts] == [len(part.ids) - 2 for part in made.parts]
    assert made.left_out == 0


def test_each_part_has_the_prefix(texts: TextTokens) -> None:
    made = texts.cut("a b c", "q ", 5, split=True)
    assert [part.ids for part in made.parts] == [[CLS, Q, A, B, SEP], [CLS, Q, C, SEP]]
    assert [part.own for part in made.parts] == [2, 1]


def test_a_text_is_cut_before_its_last_special_token(texts: TextTokens, backend: Any) -> None:
    made = texts.cut("a b c d", "", 4, split=False)
    assert [part.ids for part in made.parts] == [[CLS, A, B, SEP]]
    assert made.left_out == 2
    left = TextTokens(backend, side="left").cut("a b c d", "q ", 5, split=False)
    assert [part.ids for part in left.parts] == [[CLS, Q, C, D, SEP]]
    assert left.left_out == 2


def test_a_text_needs_room_for_one_token(texts: TextTokens) -> None:
    with pytest.raises(ValueError, match="no token of the text has room in 2 tokens"):
        texts.cut("a b", "", 2, split=True)


def test_the_second_text_of_a_pair_is_cut(texts: TextTokens, backend: Any) -> None:
    whole = texts.pair("a b", "c d")
    assert (whole.parts[0].ids, whole.parts[0].second) == ([CLS, A, B, SEP, C, D, SEP], 4)
    cut = texts.pair("a b", "c d", 6)
    assert (cut.parts[0].ids, cut.left_out) == ([CLS, A, B, SEP, C, SEP], 1)
    with pytest.raises(ValueError, match="leaves no room"):
        texts.pair("a b", "c d", 5)
    assert TextTokens(backend, has_types=False).pair("a", "b").parts[0].second is None


def test_a_token_that_only_a_name_hides_is_refused() -> None:
    named = Tokenizer(models.WordLevel({"[UNK]": 0, "x": 1}, unk_token="[UNK]"))
    named.add_special_tokens(["[UNK]", "x"])
    named.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = TextTokens(named)
    assert made.one("y").ids == [0]
    try:
        ids = made.one("x").ids
    except MixedError:
        return
    assert ids == [0]


def test_half_a_character_is_refused(texts: TextTokens) -> None:
    with pytest.raises(ValueError, match="surrogates"):
        texts.one("\ud800")
