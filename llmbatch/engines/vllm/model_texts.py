"""The small files of a model that say how its prompts are written: tokenizer and chat template."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from llmbatch.core.errors import LlmbatchError
from llmbatch.engines import hub
from llmbatch.engines.vllm.exchanged import is_exchanged

TOKENIZER = "tokenizer.json"
_CONFIGURATION = "tokenizer_config.json"
_SPECIAL = "special_tokens_map.json"
_TEMPLATE = "chat_template.jinja"
_MODEL = "config.json"
# Of Mistral's own tokenizers, which are read in another way.
_TEKKEN = "tekken.json"
# The class that takes a tokenizer.json as it is, by its names in several versions.
_AS_STORED = ("PreTrainedTokenizer", "TokenizersBackend")
# Models whose stored tokenizer is mended when it is loaded.
_MENDED = ("mistral", "ministral", "mixtral", "pixtral", "voxtral")
# A post-processor is made anew by these; it matters only where no chat template writes the tokens.
_ADDED = ("add_bos_token", "add_eos_token")

Read = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class ModelTexts:
    """`tokenizer`: its JSON text; `settings`: those of the tokenizer; `special_tokens`: their texts
    by name, such as bos_token; `model_type`: the kind of the model."""

    tokenizer: bytes
    settings: Mapping[str, Any]
    special_tokens: Mapping[str, str]
    template: str | None
    model_type: str = ""
    is_whole: bool = field(default=True)

    @property
    def is_completed(self) -> bool:
        """True if settings say which tokens stand around a text, not the stored tokenizer alone;
        a chat template writes them itself."""
        return any(key in self.settings for key in _ADDED)

    def is_as_stored(self, known_tokens: frozenset[str]) -> bool:
        """True if the model's tokenizer is the stored one to the last token, so that nothing else
        has to be asked. `known_tokens`: those that it has beside its vocabulary."""
        kind = str(self.settings.get("tokenizer_class") or "").removesuffix("Fast")
        added = self.settings.get("added_tokens_decoder") or {}
        named = {_text(token) for token in added.values()} | set(self.special_tokens.values())
        return (
            self.is_whole
            and kind in _AS_STORED
            and not self.model_type.startswith(_MENDED)
            and not is_exchanged(self.model_type)
            and not self.settings.get("split_special_tokens")
            and (self.template is not None or not self.is_completed)
            and named <= known_tokens
        )


def read(name: str, folder: Path | None, revision: str | None) -> ModelTexts | None:
    """Those of a model in a local `folder`, or else of the one with this name on the hub; None
    where it has no tokenizer.json, or it cannot be had."""
    if folder is not None:
        return _made(lambda file: _stored(folder / file))
    try:
        commit = hub.commit_of(name, revision)
    except LlmbatchError:  # the start of the engine gives a better reason
        return None
    return _made(lambda file: hub.content(name, commit, file))


def _stored(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _made(content: Read) -> ModelTexts | None:
    tokenizer = content(TOKENIZER)
    if tokenizer is None:
        return None
    settings = _table(content(_CONFIGURATION))
    template = content(_TEMPLATE)
    text = template.decode() if template is not None else _default(settings.get("chat_template"))
    model_type = str(_table(content(_MODEL)).get("model_type") or "")
    is_whole = "auto_map" not in settings and content(_TEKKEN) is None
    special = _special_tokens(_table(content(_SPECIAL))) | _special_tokens(settings)
    return ModelTexts(tokenizer, settings, special, text, model_type, is_whole)


def _table(text: bytes | None) -> dict[str, Any]:
    try:
        found = orjson.loads(text or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _special_tokens(settings: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: text
        for name, value in settings.items()
        if name.endswith("_token") and (text := _text(value))
    }


def _text(token: Any) -> str:
    """A token that is written as a text, or as a table with its properties."""
    found = token.get("content") if isinstance(token, Mapping) else token
    return found if isinstance(found, str) else ""


def _default(template: Any) -> str | None:
    """The chat template, or the default one of several by name."""
    if isinstance(template, list):
        named = [each for each in template if isinstance(each, Mapping)]
        template = {each.get("name"): each.get("template") for each in named}.get("default")
    return template if isinstance(template, str) else None
