"""The prompts of a request of numbers: texts with the model's prefixes, as token ids."""

from collections.abc import Sequence

from llmbatch.core.records import Ask, Message
from llmbatch.engines.pooling import Pooling
from llmbatch.engines.vllm.chat_tokenizer import ChatTokenizer
from llmbatch.engines.vllm.text_tokens import Cut, TextTokens, TokenText

_PAIR = ("query", "document")


class TooLongError(Exception):
    """A text has more tokens than the model takes; the text of the error says how many."""


class PoolingPrompts:
    """Makes the prompts of one engine's requests."""

    def __init__(self, tokenizer: ChatTokenizer, pooling: Pooling) -> None:
        self._tokenizer = tokenizer
        self._texts = tokenizer.texts()
        self._pooling = pooling

    def prompts(self, messages: Sequence[Message], ask: Ask, limit: int | None) -> Cut:
        """The prompts of a request, each of `limit` tokens at most (None: of any length). Raises
        TooLongError, and ValueError for messages that cannot be encoded."""
        roles = tuple([message.role for message in messages])
        if not all(message.content.strip() for message in messages):
            raise ValueError("the text is blank: there is nothing to make numbers of")
        if roles == _PAIR:
            query, document = (self._written(message) for message in messages)
            if self._pooling.output == "cosine":
                made = Cut([self._one(query, "query"), self._one(document, "document")])
            else:
                most = limit if ask.overflow == "truncate" else None
                made = self._required().pair(query, document, most)
        elif roles == ("text",):
            made = self._text(self._written(messages[0]), ask, limit)
        else:
            made = Cut([TokenText(self._tokenizer.encode(messages))])
        for part in made.parts:
            if limit is not None and len(part.ids) > limit:
                text = f"text has {len(part.ids)} tokens, the model takes {limit}"
                raise TooLongError(text)
        return made

    def _text(self, text: str, ask: Ask, limit: int | None) -> Cut:
        if limit is None or ask.overflow == "fail":
            return Cut([self._one(text, "text")])
        prefix = self._pooling.prefixes.get("text", "")
        return self._required().cut(text, prefix, limit, split=ask.overflow == "split")

    def _one(self, text: str, role: str) -> TokenText:
        return self._required().one(text, self._pooling.prefixes.get(role, ""))

    def _written(self, message: Message) -> str:
        return message.content.lower() if self._pooling.lower_case else message.content

    def _required(self) -> TextTokens:
        if self._texts is None:
            raise ValueError("texts need the model's fast tokenizer (tokenizer.json)")
        return self._texts
