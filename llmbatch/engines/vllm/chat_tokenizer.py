"""The model's chat template and tokenizer: text to tokens and back, without vLLM's import."""

import importlib.util
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmbatch.core.records import Ask, ChatSettings, Message, Role
from llmbatch.engines import model_files
from llmbatch.engines.label_tree import LabelTree
from llmbatch.engines.vllm import chat_trial, model_texts, processes, start, thinking_switch
from llmbatch.engines.vllm.bare_tokenizer import BareTokenizer
from llmbatch.engines.vllm.contents_apart import ContentsApart
from llmbatch.engines.vllm.label_tokens import LabelTokens
from llmbatch.engines.vllm.slow_contents import SlowContentsApart
from llmbatch.engines.vllm.text_tokens import TextTokens

REPLACEMENT = "\ufffd"
_MODES = ("auto", "hf")
_BY_FILE = (
    "tokens are counted by the model's tokenizer.json; transformers, which is not installed, may "
    "change some of it for this model"
)


class ChatTokenizer:
    """Renders chats to token ids, and decodes answers.

    `decodes` is False where only vLLM's own detokenizer is sure to give the right text.
    """

    def __init__(
        self,
        tokenizer: Any,
        chat: ChatSettings = ChatSettings(),  # noqa: B008
        notices: Sequence[str] = (),
    ) -> None:
        """`chat`: the template and its variables; `notices`: what a user has to know of it."""
        self.notices = [*notices]
        self._tokenizer = tokenizer
        self._fast = _fast_backend(tokenizer)
        given = chat.template or getattr(tokenizer, "chat_template", None)
        self._has_template = bool(given) or self._fast is None
        self._given = chat
        # Stands where an answer begins that is begun for the model.
        self._mark = f"q{secrets.token_hex(12)}q"
        self._chat = thinking_switch.switched(chat, self.render) if self._has_template else chat
        # A chat template writes the special tokens itself.
        self._apart = (
            SlowContentsApart(tokenizer, self._slow_ids)
            if self._fast is None
            else ContentsApart(self._fast, self._text, add_special_tokens=not self._has_template)
        )
        self.decodes = self._fast is not None and _is_byte_level(self._fast)
        self._labels: LabelTokens | None = None

    def texts(self) -> TextTokens | None:
        """The same tokenizer for texts without a chat; None where it is not the Rust one."""
        if self._fast is None:
            return None
        inputs = getattr(self._tokenizer, "model_input_names", ("token_type_ids",))
        side = str(getattr(self._tokenizer, "truncation_side", "right"))
        return TextTokens(self._fast, side=side, has_types="token_type_ids" in inputs)

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """The token ids of the prompt, ready for the model's answer. No content becomes a control
        token. Raises ValueError for text that no tokenizer takes, half a character, and where a
        content that holds a control token cannot be told from its template."""
        for message in messages:
            if not message.content.isascii():
                message.content.encode()  # the tokenizer would call it an argument of a wrong type
        return self._apart.encode(messages)

    def label_tree(self, messages: Sequence[Message], ask: Ask) -> LabelTree:
        """The tree of the labels after this chat. Raises ValueError as `LabelTokens.tree` does."""
        if self._labels is None:
            render = self._text if self._has_template else None
            self._labels = LabelTokens(self._tokenizer, self._fast, render)
        return self._labels.tree(messages, ask.labels, whole=ask.whole)

    def try_chats(self, chats: Sequence[Sequence[Message]]) -> list[str]:
        """See `chat_trial.try_chats`."""
        if _are_plain(chats):
            return []
        settings, has_template = self._given, self._has_template
        return chat_trial.try_chats(chats, settings, self.render, has_template=has_template)

    def try_thinking(
        self, parser: str | None, chats: Sequence[Sequence[Message]] = ()
    ) -> list[str]:
        """Notices about thinking in such chats, `parser` being the one that the user named. Raises
        UsageError where the model cannot think, or leave it, as the job wants."""
        if not self._has_template and self._given.thinking is None:
            return []
        if _are_plain(chats):
            return []
        marked = thinking_switch.has_marks(self._tokenizer.get_vocab())
        thinking_switch.check(self._given, self.render, has_marks=marked, parser=parser)
        # A model does not think before an answer that is begun for it.
        if any(chat[-1].role == "prefill" for chat in chats):
            return []
        return thinking_switch.notices(self._given, self.render, parser=parser)

    def _text(self, messages: Sequence[Message]) -> str:
        return self.render(messages, self._chat)

    def render(self, messages: Sequence[Message], chat: ChatSettings) -> str:
        """The prompt as text. Without a chat template: the contents, one after the other. Raises
        ValueError for a template that leaves out the beginning of an answer."""
        if not self._has_template or _are_plain([messages]):
            return "\n\n".join(message.content for message in messages)
        if messages[-1].role == "prefill" and self._fast is not None:
            return self._begun(messages, chat) + messages[-1].content
        rendered = self._apply(messages, chat, tokenize=False)
        assert isinstance(rendered, str)
        return rendered

    def _begun(self, messages: Sequence[Message], chat: ChatSettings) -> str:
        """The prompt up to the beginning of the answer, which templates trim, and close after."""
        marked = [*messages[:-1], Message("prefill", self._mark)]
        text, mark, _ = str(self._apply(marked, chat, tokenize=False)).rpartition(self._mark)
        if not mark:
            raise ValueError("leaves out the beginning of an answer (--prefill)")
        return text

    def _apply(self, messages: Sequence[Message], chat: ChatSettings, *, tokenize: bool) -> Any:
        written = [{"role": _spoken(each.role), "content": each.content} for each in messages]
        goes_on = messages[-1].role == "prefill"
        # Those of the tokenizer's own method win over variables of the same names.
        settings: dict[str, Any] = {"add_generation_prompt": not goes_on}
        if goes_on and self._fast is None:
            settings["continue_final_message"] = True
        if chat.template is not None:
            settings["chat_template"] = chat.template
        if not tokenize:
            settings["tokenize"] = False
        return self._tokenizer.apply_chat_template(written, **{**chat.kwargs, **settings})

    def _slow_ids(self, messages: Sequence[Message]) -> list[int]:
        if _are_plain([messages]):
            return list(self._tokenizer.encode(messages[0].content))
        encoded = self._apply(messages, self._chat, tokenize=True)
        return list(encoded["input_ids"] if hasattr(encoded, "keys") else encoded)

    def decode(self, token_ids: Sequence[int], *, stopped: bool) -> str:
        """The text of a whole answer, equal to what vLLM's incremental detokenizer gives.

        That one leaves out the token that stopped the answer, and holds back bytes that do not
        make a character yet, so an answer that was cut inside a character ends before it.
        """
        assert self._fast is not None
        ids = list(token_ids[:-1] if stopped else token_ids)
        text: str = self._fast.decode(ids, skip_special_tokens=True)
        while ids and text.endswith(REPLACEMENT):
            ids.pop()
            text = self._fast.decode(ids, skip_special_tokens=True)
        return text


def _are_plain(chats: Sequence[Sequence[Message]]) -> bool:
    """True for texts that are sent as they are."""
    return any(chat[0].role == "text" for chat in chats)


def _spoken(role: Role) -> str:
    """The role of a message in a chat template."""
    return "assistant" if role == "prefill" else role


def _fast_backend(tokenizer: Any) -> Any:
    """The Rust tokenizer inside a Hugging Face tokenizer, or None."""
    from tokenizers import Tokenizer

    backend = getattr(tokenizer, "_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        return None
    # Set in some tokenizer files: batches of equal length are no business of ours.
    backend.no_truncation()
    backend.no_padding()
    return backend


def _is_byte_level(backend: Any) -> bool:
    """True if a part alone is decoded to the same text as in its context."""
    return type(backend.decoder).__name__ == "ByteLevel"


class NoTokenizerError(Exception):
    """A tokenizer that cannot be had without vLLM, or not yet; the reason in one line."""


def load(
    model: str,
    folder: Path | None,
    options: Mapping[str, Any],
    chat: ChatSettings,
    *,
    of_texts: bool = False,
) -> ChatTokenizer:
    """The tokenizer that gives the token ids that vLLM would get. Raises NoTokenizerError.

    A tokenizer from the hub is taken from the local cache if it is there. The model's files alone
    are enough where they are sure to give the same, or where nothing else is installed. `of_texts`:
    no chat template is put around what it encodes.
    """
    mode = options.get("tokenizer_mode", "auto")
    if mode not in _MODES:
        raise NoTokenizerError(f"tokenizer_mode {mode} is known to the engine alone")
    bare = None if options.get("trust_remote_code") else _load_bare(model, folder, options)
    if bare is not None and (bare.is_exact_without_template if of_texts else bare.is_exact):
        return ChatTokenizer(bare, chat)
    if _is_installed():
        return _load_as_vllm(model, folder, options, chat)
    if bare is not None:
        return ChatTokenizer(bare, chat, notices=[_BY_FILE])
    raise NoTokenizerError(
        f"transformers is not installed, and there is no {model_texts.TOKENIZER}"
    )


def _load_bare(model: str, folder: Path | None, options: Mapping[str, Any]) -> BareTokenizer | None:
    """The tokenizer by its files; None where they are not there, or cannot be read so."""
    revision = options.get("tokenizer_revision") or options.get("revision")
    other = options.get("tokenizer")
    if other is not None:
        model, path = str(other), model_files.path_of(str(other))
        folder = path if model_files.is_folder(path) else None
    texts = model_texts.read(model, folder, revision)
    try:
        return None if texts is None else BareTokenizer(texts)
    except ValueError:
        return None


def _load_as_vllm(
    model: str, folder: Path | None, options: Mapping[str, Any], chat: ChatSettings
) -> ChatTokenizer:
    start.set_environment(local=folder is not None)
    name = options.get("tokenizer") or (str(folder) if folder is not None else model)
    wanted = {
        "revision": options.get("tokenizer_revision") or options.get("revision"),
        "trust_remote_code": bool(options.get("trust_remote_code")),
    }
    try:
        with processes.output_to(None):
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(
                name, **{key: value for key, value in wanted.items() if value}
            )
            return ChatTokenizer(tokenizer, chat)
    except Exception as error:  # of many kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise NoTokenizerError(f"its tokenizer cannot be loaded: {reason[:200]}") from error


def _is_installed() -> bool:
    return importlib.util.find_spec("transformers") is not None
