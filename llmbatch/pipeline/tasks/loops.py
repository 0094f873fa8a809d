"""Answers that say the same over and over until they are cut."""

_LEAST = 400
"""Characters that a loop covers at least, at the end of an answer."""
_TIMES = 8
"""So often the same text must follow itself: tables and lists repeat some, too."""
_LEAST_OF_SHORT, _TIMES_OF_SHORT, _PART_OF_SHORT = 64, 16, 1 / 4
"""The same in short answers: characters, times, and the part of the answer that the loop covers."""
_LONGEST = 1000
"""Characters of the longest text whose repetition is noticed."""
# A loop is looked for where the last characters of an answer stood before.
_END = 16


def repeated_in(text: str) -> str | None:
    """The text that a cut answer repeats at its end; None where it does not end in a loop. White
    space of any kind is one, if there is enough of it."""
    least = _least(text)
    if len(text) < least:
        return None
    if not text[-least:].strip():
        return text[-1]
    end = text[-_END:]
    place = len(text) - _END
    while (place := text.rfind(end, 0, place + _END - 1)) >= 0:
        period = len(text) - _END - place
        if period > _LONGEST:
            return None
        for fewest, times in ((_LEAST, _TIMES), (least, _TIMES_OF_SHORT)):
            covered = max(fewest, times * period)
            if covered <= len(text) and text[-covered:-period] == text[-covered + period :]:
                return text[-period:]
    return None


def _least(text: str) -> int:
    """The characters that a loop covers at least, at the end of this answer."""
    return min(_LEAST, max(_LEAST_OF_SHORT, round(len(text) * _PART_OF_SHORT)))
