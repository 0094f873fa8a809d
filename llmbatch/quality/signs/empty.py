"""The sign `empty`: an answer without a letter or a digit."""

NAME = "empty"
MEANING = "no letter and no digit in the answer"


def look(answer: str) -> str | None:
    """A few words if the answer has the sign, else None."""
    if any(character.isalnum() for character in answer):
        return None
    return "blank" if not answer.strip() else "no letter or digit"
