"""The ids of texts by their pieces: those of the library, for each tokenizer that is taken."""

import random
from typing import Any

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordPiece

from llmbatch.core.records import ChatSettings, Message
from llmbatch.engines.vllm import chat_tokenizer, contents_apart, known_pieces
from llmbatch.engines.vllm.known_pieces import COMPARED, KnownPieces
from llmbatch.engines.vllm.latin_pattern import in_python
from tests.bench import workloads

QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA = QWEN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
CASED = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GAPS = r"\p{L}+|\s+"  # leaves out what is neither


def sample() -> Any:
    return Tokenizer.from_file(str(workloads.MODEL / "tokenizer.json"))


def cut_by(*steps: Any, use_regex: bool = False) -> Any:
    """The sample model's tokenizer with these steps before the model."""
    made = sample()
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)
    made.pre_tokenizer = pre_tokenizers.Sequence([*steps, last]) if steps else last
    return made


def split(pattern: str, behavior: str = "isolated", *, invert: bool = False) -> Any:
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def normalized() -> Any:
    made = cut_by(split(QWEN))
    made.normalizer = normalizers.NFC()
    return made


TAKEN = {
    "sample": sample(),
    "gpt2": cut_by(use_regex=True),
    "digits": cut_by(pre_tokenizers.Digits(individual_digits=True), use_regex=True),
    "qwen": normalized(),
    "llama": cut_by(split(LLAMA)),
    "cased": cut_by(split(CASED)),
    "gaps": cut_by(split(GAPS)),
}
PARTS = [
    *"  \n\r\t\v\f\x1c\x1f\x00\x7f'\"\\/.,;:!?-_()[]{}|<>=+*&%$#@~^`0123456789",
    *(
        "'s",
        "'LL",
        "'T",
        "n't",
        " ",
        "  ",
        "\r\n",
        "\\n",
        "AB-12",
        "ABCD-1",
        "XYZ-",
        "12345",
        "1.5",
    ),
    *(
        "Hello",
        " world",
        "straße",
        " É",
        "Ünal",
        "Œ",
        "İ",
        "\u201cso\u201d",
        "\u2013",
        "€ 5",
        "x\u0301",
        "中文",
        "🙂",
    ),
    *(
        "\xa0",
        "\x85",
        "\u2028",
        "ª",
        "µ",
        "²",
        "\u017f",
        "'\u017f",
        "\u212a",
        "\u00d7",
        "÷",
        "ÿ",
        "ß",
    ),
    *("<|im_start|>", "<|im_end|>", "<|im_", "<|endoftext|>", "|>", "user", "aaaaaaaaaaaa" * 8),
]


def texts(number: int) -> list[str]:
    chance = random.Random(11)
    made = ["".join(chance.choices(PARTS, k=chance.randrange(1, 30))) for _ in range(number)]
    rows = [f"<|im_start|>user\n{row['text']}<|im_end|>\n" for row in workloads.replies(200)]
    return ["", *PARTS, *rows, *made]


def by_library(backend: Any, text: str) -> list[int]:
    ids: list[int] = backend.encode(text, add_special_tokens=False).ids
    return ids


@pytest.mark.parametrize("name", TAKEN)
def test_ids_are_those_of_the_library(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_pieces, "COMPARED", 0)  # or one difference would hide all others
    monkeypatch.setattr(known_pieces, "MOST", 300)  # is full several times
    backend = TAKEN[name]
    known = KnownPieces.of(backend)
    assert known is not None
    found = {text: known.ids(text) for text in texts(3000)}
    assert {text: ids for text, ids in found.items() if ids != by_library(backend, text)} == {
        text: None for text, ids in found.items() if ids is None
    }
    by_pieces = sum(ids is not None for ids in found.values())
    assert by_pieces > (400 if name != "gaps" else 20)


def test_most_rows_of_western_languages_need_no_library() -> None:
    known = KnownPieces.of(sample())
    assert known is not None
    rows = list(workloads.replies(500))
    assert sum(known.ids(row["text"]) is not None for row in rows) > 0.95 * len(rows)


def test_nothing_is_found_any_more_once_the_library_gives_others() -> None:
    backend = sample()
    known = KnownPieces.of(backend)
    assert known is not None
    assert known.ids("one two") == by_library(backend, "one two")
    backend.add_tokens([AddedToken("two", normalized=False)])
    assert known.ids("one two") is None
    assert known.ids("one") is None


def test_a_cut_that_differs_where_no_text_shows_it_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_space = QWEN.replace(r"[^\r\n\p{L}\p{N}]?\p{L}+", r"\p{L}+")
    monkeypatch.setattr(known_pieces, "in_python", lambda pattern: in_python(without_space))
    known = KnownPieces.of(cut_by(split(QWEN)))
    assert known is not None
    assert known._found("word") == by_library(sample(), "word")
    assert known.ids("word") is None


def test_only_the_first_texts_are_asked_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = sample()
    known = KnownPieces.of(backend)
    assert known is not None
    for number in range(COMPARED):
        assert known.ids(f"text {number}") is not None
    monkeypatch.setattr(known, "_backend", None)
    assert known.ids("text 0") == by_library(backend, "text 0")


def test_prompts_of_a_job_are_made_of_known_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = chat_tokenizer.load(str(workloads.MODEL), workloads.MODEL, {}, ChatSettings())
    chats = [[Message("user", f"Say number {number}: É!")] for number in range(COMPARED + 1)]
    by_the_library = [tokenizer.encode(chat) for chat in chats]
    monkeypatch.setattr(contents_apart, "_ids", None)
    assert [tokenizer.encode(chat) for chat in chats] == by_the_library
    assert by_the_library[-1] == by_library(sample(), tokenizer.render(chats[-1], ChatSettings()))


def stripping() -> Any:
    made = sample()
    made.add_tokens([AddedToken("<x>", lstrip=True, normalized=False)])
    return made


def two_passes() -> Any:
    made = sample()
    made.add_tokens([AddedToken("<x>", normalized=True)])
    return made


def lowered() -> Any:
    made = sample()
    made.normalizer = normalizers.Lowercase()
    return made


def dropping() -> Any:
    made = sample()
    model = made.model
    model.dropout = 0.1
    made.model = model
    return made


def of_pieces() -> Any:
    made = sample()
    made.model = WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]")
    return made


def prefixed() -> Any:
    made = sample()
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return made


def uncut() -> Any:
    made = sample()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    return made


@pytest.mark.parametrize(
    "made",
    [
        stripping,
        two_passes,
        lowered,
        dropping,
        of_pieces,
        prefixed,
        uncut,
        lambda: cut_by(split(QWEN, "removed")),
        lambda: cut_by(split(QWEN, invert=True)),
        lambda: cut_by(split(r"\p{Greek}+|.")),
        lambda: cut_by(pre_tokenizers.Digits(individual_digits=False)),
        lambda: cut_by(pre_tokenizers.Punctuation()),
    ],
)
def test_other_tokenizers_are_left_to_the_library(made: Any) -> None:
    assert KnownPieces.of(made()) is None


@pytest.mark.parametrize(
    "pattern",
    [
        r"\p{Greek}",
        r"a\p{M}*",
        r"\P{L}",
        r"[a&&b]",
        r"[[:alpha:]]",
        r"[a[bc]]",
        r"(a)",
        r"(?<=a)b",
        r"(?s:a)",
        r"a{2}?",
        r"a{1,2}+",
        r"a{,2}",
        r".",
        r"^a",
        r"\w",
        r"\b",
        r"\h",
        r"\x41",
        r"[a",
        r"a]",
        r"a)",
    ],
)
def test_a_pattern_that_may_mean_something_else_is_refused(pattern: str) -> None:
    assert in_python(pattern) is None
