"""The prompts of a request of numbers: texts with the model's prefixes, as token ids."""

from collections.abc import Sequence

from llmbatch.core.records import Ask, Message
from llmbatch.engines.pooling import Pooling
from llmbatch.engines.vllm.chat_tokenizer import ChatTokenizer
from llmbatch.engines.vllm.text_tokens import Cut, NoRoomError, TextTokens, TokenText

_PAIR = ("query", "document")


class TooLongError(Exception):
    """A text has more tokens than the model takes; the text of the error says how many."""


class PoolingPrompts:
    """Makes the prompts of one engine's requests."""

    def __init__(self, tokenizer: ChatTokenizer, pooling: Pooling) -> None:
        self._tokenizer = tokenizer
        self._texts = tokenizer.texts()
        self._pooling = pooling

    @property
    def separates(self) -> bool:
        """True if something stands between the two texts of a pair."""
        return self._texts is None or self._texts.separates

    def prompts(self, messages: Sequence[Message], ask: Ask, limit: int | None) -> Cut:
        """The prompts of a request, each of `limit` tokens at most (None: of any length). Raises
        TooLongError, and ValueError for messages that cannot be encoded."""
        roles = tuple([message.role for message in messages])
        if not all(message.content.strip() for message in messages):
            raise ValueError("the text is blank: there is nothing to make numbers of")
        try:
            if roles == _PAIR:
                query, document = (self._written(message) for message in messages)
                made = self._pair(query, document, ask, limit)
            elif roles == ("text",):
                made = self._text(self._written(messages[0]), ask, limit)
            else:
                made = Cut([TokenText(self._tokenizer.encode(messages))])
        except NoRoomError as error:
            raise TooLongError(str(error)) from error
        for part, what in zip(made.parts, _names(roles, len(made.parts)), strict=True):
            if limit is not None and len(part.ids) > limit:
                text = f"{what} has {len(part.ids)} tokens, the model takes {limit}"
                raise TooLongError(text)
        return made

    def _pair(self, query: str, document: str, ask: Ask, limit: int | None) -> Cut:
        """A pair in one prompt or, for a cosine, each text in one of its own. The document may be
        cut, the query may not: all of a group's documents are compared with the same one."""
        most = limit if ask.overflow == "truncate" else None
        if self._pooling.output != "cosine":
            return self._required().pair(query, document, most)
        first = self._one(query, "query")
        if most is None:
            return Cut([first, self._one(document, "document")])
        prefix = self._pooling.prefixes.get("document", "")
        second = self._required().cut(document, prefix, most, split=False)
        return Cut([first, *second.parts], second.left_out)

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


def _names(roles: Sequence[str], parts: int) -> Sequence[str]:
    """The names of the prompts of messages with these roles."""
    if roles != _PAIR:
        return ["text"] * parts
    return roles if parts == len(roles) else ["pair"] * parts
