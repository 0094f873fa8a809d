"""The model's chat template and tokenizer: text to tokens and back, without vLLM's import."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmbatch.core.records import Message
from llmbatch.engines.vllm import processes, start
from llmbatch.engines.vllm.contents_apart import ContentsApart
from llmbatch.engines.vllm.slow_contents import SlowContentsApart

REPLACEMENT = "\ufffd"
_MODES = ("auto", "hf")


class ChatTokenizer:
    """Renders chats to token ids, and decodes answers.

    `decodes` is False where only vLLM's own detokenizer is sure to give the right text.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._fast = _fast_backend(tokenizer)
        self._has_template = bool(getattr(tokenizer, "chat_template", None)) or self._fast is None
        # A chat template writes the special tokens itself.
        self._apart = (
            SlowContentsApart(tokenizer, self._slow_ids)
            if self._fast is None
            else ContentsApart(self._fast, self.render, add_special_tokens=not self._has_template)
        )
        self.decodes = self._fast is not None and _is_byte_level(self._fast)

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """The token ids of the prompt, ready for the model's answer. No content becomes a control
        token. Raises ValueError for text that no tokenizer takes, half a character, and where a
        content that holds a control token cannot be told from its template."""
        for message in messages:
            if not message.content.isascii():
                message.content.encode()  # the tokenizer would call it an argument of a wrong type
        return self._apart.encode(messages)

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt as text. Without a chat template: the contents, one after the other."""
        if not self._has_template:
            return "\n\n".join(message.content for message in messages)
        chat = [{"role": message.role, "content": message.content} for message in messages]
        text: str = self._tokenizer.apply_chat_template(
            chat, tokenize=False, add_generation_prompt=True
        )
        return text

    def _slow_ids(self, messages: Sequence[Message]) -> list[int]:
        chat = [{"role": message.role, "content": message.content} for message in messages]
        encoded = self._tokenizer.apply_chat_template(chat, add_generation_prompt=True)
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


def load(model: str, folder: Path | None, options: Mapping[str, Any]) -> ChatTokenizer | None:
    """The tokenizer that gives the token ids that vLLM would get; None where only vLLM has it.

    A tokenizer from the hub is taken from the local cache if it is there.
    """
    if options.get("tokenizer_mode", "auto") not in _MODES or not _is_installed():
        return None
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
            return ChatTokenizer(tokenizer)
    except Exception:  # the start of the engine gives a better reason
        return None


def _is_installed() -> bool:
    return importlib.util.find_spec("transformers") is not None
