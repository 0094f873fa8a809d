"""The sign `empty`: an answer that says nothing."""

from llmbatch.quality.signs.base import Sign, Subject


def look(subject: Subject) -> str | None:
    if any(character.isalnum() for character in subject.text):
        return None
    return "no letter or digit" if subject.text.strip() else "blank"


SIGN = Sign(
    name="empty",
    meaning="the answer says nothing",
    threshold="no letter and no digit in the answer, or in any value of its JSON",
    look=look,
)
