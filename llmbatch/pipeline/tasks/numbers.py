"""The numbers of an engine's answer that is no text."""

import base64
import binascii
from typing import NamedTuple

import numpy as np
import orjson


class EngineNumbers(NamedTuple):
    """`values`: as many float32 numbers as the engine gave, in the fewest digits that tell them
    from others; `cut`: the tokens that were left out of a text that was too long."""

    values: list[float]
    cut: int = 0


def read(text: str) -> EngineNumbers:
    """The numbers of an answer (see `core.records.Ask`). Raises ValueError with the reason for what
    is none, and for numbers that are not finite."""
    cut = 0
    try:
        if text.startswith("{"):
            table = orjson.loads(text)
            text, cut = table["vector"], int(table.get("cut", 0))
        values = np.frombuffer(base64.b64decode(text, validate=True), "<f4")
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise ValueError("the engine's answer holds no numbers") from error
    if not np.isfinite(values).all():
        raise ValueError("the engine's answer holds a number that is not finite")
    return EngineNumbers([float(str(value)) for value in values], cut)
