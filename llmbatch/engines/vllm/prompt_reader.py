"""Prompts as the engine will get them, before it is started."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmbatch.core.records import Message
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.vllm import chat_tokenizer, label_check, thinking_switch
from llmbatch.engines.vllm.chat_tokenizer import ChatTokenizer
from llmbatch.engines.vllm.in_flight import one_line
from llmbatch.engines.vllm.read_ahead import ReadAhead


class PromptReader:
    """Encodes and tries chats with the model's own tokenizer, which is loaded on first use."""

    def __init__(
        self, config: EngineConfig, folder: Path | None, options: Mapping[str, Any]
    ) -> None:
        """`folder`: that of the model, None where it is on the hub."""
        self._config = config
        self._folder = folder
        self._options = options
        # A text says why there is none without vLLM.
        self._loaded: ChatTokenizer | str | None = None
        self.ahead = ReadAhead()

    def encode(self, messages: Sequence[Message]) -> list[int] | None:
        """See `base.Engine`."""
        tokenizer = self._tokenizer()
        if isinstance(tokenizer, str):
            return None
        try:
            ids = tokenizer.encode(messages)
        except Exception as error:  # a chat template may raise anything
            raise ValueError(one_line(error)) from error
        self.ahead.add(messages, ids)
        return ids

    def try_chats(self, chats: Sequence[Sequence[Message]]) -> list[str]:
        """See `base.TriesChats`."""
        tokenizer = self._tokenizer()
        if isinstance(tokenizer, str):
            return []
        parser = thinking_switch.named_parser(self._options)
        notices = [*tokenizer.notices, *tokenizer.try_chats(chats)]
        thinking = tokenizer.try_thinking(parser, chats)
        asked = self._config.ask
        if asked is not None and asked.kind == "labels" and thinking:
            label_check.refuse_thinking()
        return [*notices, *thinking]

    def check_labels(self) -> None:
        """Raise UsageError where no request for the job's labels could be answered."""
        asked, chat = self._config.ask, self._config.chat
        if asked is not None and asked.kind == "labels":
            label_check.check(asked, chat, self._options, self.tokenizer())

    def why_not_encoded(self) -> str | None:
        """See `base.TriesChats`."""
        tokenizer = self._tokenizer()
        return tokenizer if isinstance(tokenizer, str) else None

    def tokenizer(self) -> ChatTokenizer | None:
        """The model's tokenizer; None where there is none without vLLM."""
        loaded = self._tokenizer()
        return None if isinstance(loaded, str) else loaded

    def _tokenizer(self) -> ChatTokenizer | str:
        if self._loaded is None:
            model, chat = self._config.model, self._config.chat
            of_texts = self._config.ask is not None and self._config.ask.pools
            try:
                self._loaded = chat_tokenizer.load(
                    model, self._folder, self._options, chat, of_texts=of_texts
                )
            except chat_tokenizer.NoTokenizerError as error:
                self._loaded = str(error)
        return self._loaded
