"""All warning signs of rows."""

from llmbatch.quality.signs import (
    echo,
    empty,
    language,
    leak,
    length,
    one_label,
    one_word,
    refusal,
    repetition,
    shared,
    ungrounded,
)
from llmbatch.quality.signs.base import Sign

SIGNS: tuple[Sign, ...] = (
    empty.SIGN,
    one_word.SIGN,
    refusal.SIGN,
    echo.SIGN,
    repetition.SIGN,
    language.SIGN,
    leak.SIGN,
    ungrounded.SIGN,
    length.SIGN,
    shared.SIGN,
)
MEANINGS = {sign.name: sign.meaning for sign in SIGNS} | {one_label.NAME: one_label.MEANING}
"""The meaning of each sign, in a line."""
