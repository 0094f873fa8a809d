"""Vectors as they are stored and written."""

import json
import math
import struct

import numpy as np
import pytest

from llmbatch.core import vectors


def test_a_stored_vector_is_little_endian_float32() -> None:
    assert vectors.read("AACAPwAAAMA=").tolist() == [1.0, -2.0]


@pytest.mark.parametrize("text", ["", "AAAA", "no base64!"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the vector"):
        vectors.read(text)


def test_its_numbers_are_written_so_that_they_are_read_the_same() -> None:
    rng = np.random.default_rng(1)
    vector = (rng.normal(size=1000) * 10.0 ** rng.integers(-30, 30, 1000)).astype("<f4")
    read = [
        struct.unpack("<f", struct.pack("<f", n))[0] for n in json.loads(vectors.to_json(vector))
    ]
    assert read == vector.tolist()
    assert vectors.to_json(np.array([0.1, 1 / 3], "<f4")) == "[0.1,0.33333334]"


def test_a_kind_says_numbers_and_width() -> None:
    assert vectors.width_of("float32[384]") == 384
    assert vectors.width_of("float32[]") is None
    assert vectors.width_of("number") is None
    half = vectors.of_kind(np.array([0.1], "<f4"), "float16[1]")
    assert half.dtype == np.float16
    assert math.isclose(float(half[0]), 0.1, rel_tol=1e-3)
