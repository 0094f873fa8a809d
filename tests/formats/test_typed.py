"""Columns with types: those of vectors."""

import numpy as np
import pyarrow as pa
import pytest

from llmbatch.formats.base import ALL_COLUMNS, Misfit
from llmbatch.formats.typed import TypedColumns

FIRST, SECOND = np.array([0.25, -1.5], "<f4"), np.array([2.0, 0.0], "<f4")


@pytest.mark.parametrize(
    ("kind", "arrow"),
    [
        ("float32[2]", pa.list_(pa.float32(), 2)),
        ("float16[2]", pa.list_(pa.float16(), 2)),
        ("float32[]", pa.list_(pa.float32())),
    ],
)
def test_vectors_are_lists_of_a_fixed_size(kind: str, arrow: pa.DataType) -> None:
    typed = TypedColumns(["id"], {"v": kind}, ALL_COLUMNS)
    assert typed.schema.field("v").type == arrow
    dtype = kind.partition("[")[0]
    rows = [typed.row('{"id": 1}', {"v": vector.astype(dtype)}) for vector in (FIRST, SECOND)]
    assert typed.table(rows)["v"].to_pylist() == [[0.25, -1.5], [2.0, 0.0]]
    rows.append(typed.row('{"id": 2}', {}))
    assert typed.table(rows)["v"].to_pylist() == [[0.25, -1.5], [2.0, 0.0], None]
    assert typed.table([]).num_rows == 0


@pytest.mark.parametrize("value", [np.zeros(3, "<f4"), "AAAA", 1.0])
def test_another_width_does_not_fit(value: object) -> None:
    typed = TypedColumns([], {"v": "float32[2]"}, ALL_COLUMNS)
    with pytest.raises(Misfit):
        typed.row("{}", {"v": value})
