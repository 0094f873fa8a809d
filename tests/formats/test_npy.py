"""NumPy's format: one matrix, whose height is known at the end."""

import io

import numpy as np
import pytest

from llmbatch.core.errors import UsageError
from llmbatch.formats import open_reader, open_writer


@pytest.mark.parametrize(("kind", "rows"), [("float32[3]", 12_345), ("float16[3]", 2)])
def test_a_matrix_has_a_row_for_each_vector(kind: str, rows: int) -> None:
    stream = io.BytesIO()
    vectors = np.arange(rows * 3).reshape(rows, 3).astype(kind.partition("[")[0])
    with open_writer(stream, "npy", ["id"], {"v": kind, "parts": "integer"}) as writer:
        for vector in vectors:
            writer.write('{"id": 1}', {"v": vector, "parts": 1})
    stream.seek(0)
    found = np.load(stream)
    assert found.dtype == vectors.dtype
    assert (found == vectors).all()


def test_one_without_rows_is_a_matrix_too() -> None:
    stream = io.BytesIO()
    with open_writer(stream, "npy", [], {"v": "float32[]"}):
        pass
    stream.seek(0)
    assert np.load(stream).shape == (0, 0)


def test_other_columns_have_no_place_in_it() -> None:
    with pytest.raises(UsageError, match="vectors alone"):
        open_writer(io.BytesIO(), "npy", [], {"v": "text"})


def test_it_is_no_input() -> None:
    with pytest.raises(UsageError, match="has no rows to read"):
        open_reader("v.npy", io.BytesIO(), "npy")
