"""Vectors: as answers are stored, and as outputs have them."""

import base64
import binascii
import re
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from llmbatch.core import units

KIND = re.compile(r"(float32|float16)\[(\d*)\]")
"""The type of a column of vectors: of its numbers, and how many there are (empty: not known)."""
_STORED, _BYTES = "<f4", 4

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[Any]


def read(text: str) -> "Numbers":
    """The vector of a stored answer (base64 of little-endian float32). Raises ValueError."""
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"the vector is not base64: {error}") from error
    if not content or len(content) % _BYTES:
        raise ValueError(f"the vector has {units.count(len(content), 'byte')}, no float32 numbers")
    import numpy as np  # the help of commands does without

    return np.frombuffer(content, _STORED)


def packed(values: Sequence[float]) -> str:
    """Numbers as an answer is stored: base64 of little-endian float32."""
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def width_of(kind: str) -> int | None:
    """The count of numbers in a vector of a column of this type; None if that is not known."""
    found = KIND.fullmatch(kind)
    return int(found[2]) if found and found[2] else None


def of_kind(vector: "Numbers", kind: str) -> "Numbers":
    """A stored vector as a column of this type has it."""
    found = KIND.fullmatch(kind)
    assert found is not None
    return vector.astype(found[1])


def to_json(vector: "Numbers") -> str:
    """The numbers as a JSON array, with as many digits as tell them apart."""
    return orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY).decode()
