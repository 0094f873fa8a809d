"""Control tokens of a model: which there are, by its files, and where a text holds one.

A control token is written in a chat template and ends a turn, begins another, or opens the model's
thinking. Its text in a row is only text.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from llmbatch.core.errors import LlmbatchError
from llmbatch.engines import hub, model_files

FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
"""The files of a model that name its control tokens, any of which may be missing."""

# `<think>`, `</tool_call>`, `<|im_end|>`, `[INST]`: brackets of one kind with something between.
_MARKUP = re.compile(r"<[^<>\s][^<>]*>|\[[^\[\]\s][^\[\]]*\]")
# Some vocabularies have tokens for these, so that a model reads web pages.
_HTML = re.compile(
    r"</?(?:table|caption|thead|tbody|tfoot|tr|th|td|h[1-6]|p|div|span|br|hr|ul|ol|li|a|img|pre|"
    r"code|blockquote|strong|em|b|i|u|s|sub|sup)/?>",
    re.IGNORECASE,
)


def is_control(text: str, *, special: bool) -> bool:
    """True for a token of a vocabulary that steers the model. `special`: the tokenizer calls it so.
    The others are control tokens if they look like markup, but for the elements of HTML; runs of
    white space and plain words are not."""
    if not text.strip():
        return False
    return special or bool(_MARKUP.fullmatch(text.strip()) and not _HTML.fullmatch(text.strip()))


def named_in(files: Mapping[str, bytes]) -> tuple[str, ...] | None:
    """The control tokens that a model's FILES name, given by their contents, in alphabetical order;
    None where they name no token at all."""
    found: dict[str, bool] = {}
    for name, content in files.items():
        try:
            table = orjson.loads(content)
        except ValueError:  # the tokenizer cannot be loaded either
            continue
        if isinstance(table, dict):
            for text, special in _READERS[name](table):
                found[text] = found.get(text, False) or special
    if not found:
        return None
    return tuple(
        sorted(text for text, special in found.items() if is_control(text, special=special))
    )


def of_engine(
    name: str, folder: Path | None, commit: str | None, options: Mapping[str, Any]
) -> tuple[str, ...] | None:
    """The control tokens of a model, or of the `tokenizer` that the engine's options name for it;
    None where they are not known. `commit`: of the model on the hub."""
    other = options.get("tokenizer")
    if other is None:
        return of_model(name, folder, commit)
    local = model_files.path_of(str(other))
    revision = options.get("tokenizer_revision")
    return of_model(str(other), local if model_files.is_folder(local) else None, revision)


def of_model(name: str, folder: Path | None, revision: str | None) -> tuple[str, ...] | None:
    """The control tokens of a model in a local `folder`, or else of the one with this name on the
    hub; None where they are not known."""
    if folder is not None:
        return in_folder(folder)
    try:
        commit = hub.commit_of(name, revision)
    except LlmbatchError:  # the start of the engine gives a better reason
        return None
    contents = {file: hub.content(name, commit, file) for file in FILES}
    return named_in({file: content for file, content in contents.items() if content is not None})


def in_folder(folder: Path) -> tuple[str, ...] | None:
    """The control tokens that the files in a folder name; None where they name no token at all."""
    contents = {}
    for name in FILES:
        try:
            contents[name] = (folder / name).read_bytes()
        except OSError:
            continue
    return named_in(contents)


_Tokens = Iterable[tuple[str, bool]]


def _of_tokenizer(table: dict[str, Any]) -> _Tokens:
    return _of_records(table.get("added_tokens"))


def _of_configuration(table: dict[str, Any]) -> _Tokens:
    decoder = table.get("added_tokens_decoder")
    yield from _of_records(list(decoder.values()) if isinstance(decoder, dict) else None)
    yield from _of_names(table)


def _of_names(table: dict[str, Any]) -> _Tokens:
    """`eos_token` and its like: a text, a record, or several of them."""
    for name, value in table.items():
        if name.endswith(("_token", "_special_tokens")):
            yield from ((text, True) for text in _texts(value))


def _of_added(table: dict[str, Any]) -> _Tokens:
    return ((text, False) for text in table)


def _of_records(records: Any) -> _Tokens:
    for record in records if isinstance(records, list) else ():
        if isinstance(record, dict) and isinstance(record.get("content"), str):
            yield record["content"], record.get("special") is True


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        inner = value.get("content")
        yield from [inner] if isinstance(inner, str) else _texts(list(value.values()))
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


_READERS = {
    "tokenizer.json": _of_tokenizer,
    "tokenizer_config.json": _of_configuration,
    "special_tokens_map.json": _of_names,
    "added_tokens.json": _of_added,
}


class Finder:
    """Finds control tokens in a text: the one that begins first, of several there the longest."""

    def __init__(self, tokens: Iterable[str]) -> None:
        texts = sorted(set(tokens) - {""})
        self.pattern = re.compile(_alternatives(texts)) if texts else None
        # Most texts lack the first character of every token, which is the quickest to see.
        self._first = tuple({text[0] for text in texts})

    def find(self, text: str) -> str | None:
        """The first control token in a text; None where it holds none."""
        for character in self._first:
            if character in text:
                assert self.pattern is not None
                found = self.pattern.search(text)
                return found and found[0]
        return None

    def held_by(self, texts: Iterable[str]) -> str | None:
        """The first control token in any of some texts; None where none holds one."""
        for text in texts:
            if (found := self.find(text)) is not None:
                return found
        return None


def _alternatives(texts: list[str]) -> str:
    """A pattern for any of the sorted `texts`, the longest first, in which common beginnings are
    written once: some vocabularies have thousands of them."""
    branches: dict[str, list[str]] = {}
    for text in texts:
        if text:
            branches.setdefault(text[0], []).append(text[1:])
    parts = [_branch(first, rest) for first, rest in branches.items()]
    inner = parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"
    return f"(?:{inner})?" if "" in texts else inner


def _branch(first: str, rest: list[str]) -> str:
    while len({text[:1] for text in rest}) == 1 and rest[0]:
        first, rest = first + rest[0][0], [text[1:] for text in rest]
    escaped = re.escape(first)
    return escaped if rest == [""] else escaped + _alternatives(rest)
