"""The sign `leak`: text of chat templates, of prompts or of the model's role in an answer."""

import re

from llmbatch.quality.signs.base import Sign, Subject
from llmbatch.quality.signs.words import LONGEST

_PARTS = (
    r"<\|[^<>|\n]{1,40}\|>",
    r"<\uff5c[^<>\n]{1,40}\uff5c>",
    r"</?s>",
    r"\[/?INST\]",
    r"<</?SYS>>",
    r"<(?:start|end)_of_turn>",
    r"</?think>",
    r"\[(?:PAD|UNK|CLS|SEP|MASK)\]",
    r"\{\{ ?[\w.]+ ?(?:\|[^}\n]{0,40})?\}\}",
    r"\{% ?(?:if|for|endif|endfor|else|set)\b",
    r"^#{1,4} ?(?:Response|Instruction|Input|Assistant|System|User)\b:?",
    r"^(?:Assistant|Human|System|AI) ?: ",
    r"\bas an AI(?: language)?(?: model| assistant)?\b",
    r"\bI(?: am|['\u2019]m) (?:just )?an? (?:AI|(?:large )?language model|virtual assistant)\b",
    r"\bals (?:KI|künstliche Intelligenz)(?:[- ](?:Sprachmodell|Modell|Assistent))?\b",
    r"\ben tant qu['\u2019](?:IA\b|intelligence artificielle|assistant virtuel|modèle de langage)",
    r"\bcomo (?:una? )?(?:IA\b|inteligencia artificial|modelo de lengua)",
    r"\bin quanto (?:IA\b|intelligenza artificiale|modello linguistico)",
    r"作为(?:一个|一名)?(?:AI|人工智能|语言模型)",
)
# Each pattern has one of these, which are looked for first.
_STEMS = (
    "<", "[", "{{", "{%", "#", "assistant", "human", "system", " ai", "ai:", "ai :",
    "language model", "als ki", "künstliche", "qu'ia", "qu\u2019ia", "intelligen", "modèle",
    " ia", "modelo", "modello", "作为",
)  # fmt: skip
_LEAK = re.compile("|".join(_PARTS), re.IGNORECASE | re.MULTILINE)


def look(subject: Subject) -> str | None:
    if not any(map(subject.folded.__contains__, _STEMS)):
        return None
    for found in _LEAK.finditer(subject.text[:LONGEST]):
        if not subject.is_asked_for(found[0].strip()):
            return found[0].strip()[:40]
    return None


SIGN = Sign(
    name="leak",
    meaning="text of a chat template, of a prompt or of the model's role in the answer",
    threshold="one of the listed patterns (<|...|>, [INST], {{ name }}, ### Response, as an AI) "
    "that neither the row nor the prompt has",
    look=look,
)
