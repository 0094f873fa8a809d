"""The sign `refusal`: an answer that declines to answer, by phrases of eleven languages.

A phrase counts in the first 300 characters, and not where the prompt gives it (an answer that it
allows), the row has it (a text that is quoted), or the prompt asks to decline something.
"""

import re

from llmbatch.quality.signs.base import Sign, Subject

_HEAD = 300
_DO = (
    r"(?:help|assist|answer|provide|fulfil|comply|do that|do this|generate|create|write|complete|"
    r"process|translate|summari[sz]e|determine|access|give|offer|support|engage|share|respond|"
    r"discuss|see|open|browse|view|recommend|continue|proceed|identify|classify|extract|sum up|"
    r"tell)"
)
_PHRASES = (
    # English
    r"\bI(?:['\u2019]m| am)? (?:really |truly |very )?sorry,? (?:but|I|that I) ",
    r"\b(?:I|we) (?:cannot|can['\u2019]t|can not|could not|couldn['\u2019]t|won['\u2019]t|will not|"
    r"am not able to|am unable to|are unable to|must decline to|have to decline to) " + _DO + r"\b",
    r"\bI['\u2019]m (?:unable|not able|not allowed|not programmed) to " + _DO + r"\b",
    r"\bI (?:must|have to|need to) (?:decline|refuse)\b",
    r"\bI apologi[sz]e,? but\b",
    r"\bI (?:don['\u2019]t|do not) have (?:enough|sufficient|any) (?:information|context)",
    r"\bI(?:['\u2019]d| would) (?:rather not|prefer not to)\b",
    r"\b(?:against|violates?) (?:my|our|the) (?:guidelines|policy|policies|principles)\b",
    # German
    r"\bich kann (?:dir |Ihnen |euch |das |dies |dabei |damit |diese \w+ |leider )+(?:\w+ ){0,3}?"
    r"nicht\b",
    r"\b(?:es )?tut mir (?:sehr )?leid,? (?:aber|ich|dass ich|das)\b",
    r"\bich (?:bin nicht in der Lage|darf (?:das |dies )?nicht|muss (?:das )?ablehnen)\b",
    # French
    r"\bje (?:ne peux pas|ne suis pas en mesure|ne suis pas autorisé)",
    r"\bje suis désolée?,? (?:mais|je)\b|\bdésolée?,? (?:mais )?je ne\b",
    # Spanish
    r"\blo siento,? (?:pero|no)\b",
    r"\bno puedo (?:ayudar|responder|proporcionar|realizar|hacer|cumplir|completar|traducir|"
    r"resumir|generar)",
    # Italian
    r"\bmi dispiace,? (?:ma|non)\b",
    r"\bnon posso (?:aiutar|rispondere|fornire|farlo|soddisfare|tradurre)",
    # Portuguese
    r"\b(?:sinto muito|desculpe),? (?:mas|não)\b",
    r"\bnão posso (?:ajudar|responder|fornecer|fazer|atender)",
    # Dutch
    r"\bhet spijt me,? (?:maar|ik)\b",
    r"\bik kan (?:je |u |dit |dat |daar |hier )*(?:niet|geen)\b",
    # Polish
    r"\bprzykro mi,? ale\b|\bnie mogę (?:pomóc|odpowiedzieć|udzielić)",
    # Russian
    r"(?:извините|простите|к сожалению),? (?:но )?я не могу",
    r"я не могу (?:помочь|ответить|выполнить)",
    # Chinese
    r"(?:很)?抱歉[\uff0c,]?(?:但)?(?:是)?我?(?:无法|不能)|我(?:无法|不能)(?:回答|提供|协助|帮助)",
    # Japanese
    r"申し訳(?:ありません|ございません)(?:が|。)",
    r"(?:お答え|お手伝い|対応)(?:は)?(?:できません|できかねます)",
)
# Each phrase has one of these, which are looked for first: that takes a fiftieth of the time.
_STEMS = (
    "sorry", "cannot", "can't", "can\u2019t", "can not", "could not", "couldn", "won't",
    "won\u2019t", "will not", "able to", "allowed", "programmed", "declin", "refus", "apolog",
    "enough", "sufficient", "have any", "rather not", "prefer not", "guideline", "polic",
    "principle", "nicht", "leid", "ablehn", "peux pas", "suis pas", "désol", "lo siento",
    "no puedo", "dispiace", "non posso", "sinto", "desculpe", "posso", "spijt", "ik kan",
    "przykro", "mogę", "не могу", "抱歉", "无法", "不能", "申し訳", "でき",
)  # fmt: skip
_REFUSAL = re.compile("|".join(_PHRASES), re.IGNORECASE)
_ASKED_TO = re.compile(
    r"\b(?:refus\w*|decline\w*|reject\w*|apologi\w*|ablehn\w*|absag\w*|entschuldig\w*|lehne\w*|"
    r"décline\w*|excuse[rsz]\w*|rechaz\w*|disculp\w*|rifiut\w*)\b",
    re.IGNORECASE,
)


def look(subject: Subject) -> str | None:
    head = subject.folded[:_HEAD]
    if not any(map(head.__contains__, _STEMS)):
        return None
    for found in _REFUSAL.finditer(subject.text[:_HEAD]):
        phrase = found[0].strip()
        if not subject.is_asked_for(phrase) and not _ASKED_TO.search(subject.job.instruction):
            return phrase[:60]
    return None


SIGN = Sign(
    name="refusal",
    meaning="the answer declines to answer",
    threshold="a phrase of the list in the first 300 characters that neither the row nor the "
    "prompt has, in a job whose prompt asks for no refusal",
    look=look,
)
