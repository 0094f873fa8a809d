"""NumPy's own format, for output: the vectors of all rows as one matrix, and nothing else."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, Self

import numpy as np
from numpy.lib import format as npy

from llmbatch.core import vectors
from llmbatch.core.errors import UsageError
from llmbatch.formats.base import ALL_COLUMNS, TellsNothing, WriteOptions, check_columns


def refuse_input(stream: BinaryIO, name: str, options: Any = None) -> NoReturn:
    """Vectors without their rows are no input."""
    raise UsageError(f"{name}: an .npy file has no rows to read: give the table of the texts")


class NpyWriter(TellsNothing):
    """Writes the one column of vectors, a row of the matrix for each row. How many there are is
    known at the end: the header, which has room for any number, is then written again."""

    def __init__(
        self,
        stream: BinaryIO,
        columns: Sequence[str],
        answer_columns: Mapping[str, str],
        options: WriteOptions = ALL_COLUMNS,
    ) -> None:
        check_columns(columns, answer_columns)
        found = {name: kind for name, kind in answer_columns.items() if vectors.KIND.match(kind)}
        if len(found) != 1:
            raise UsageError("an .npy file holds vectors alone, and these rows have none")
        ((self._column, kind),) = found.items()
        self._dtype = np.dtype(kind.partition("[")[0]).newbyteorder("<")
        self._width = vectors.width_of(kind) or 0
        self._stream = stream
        self._rows = 0
        self._write_header()
        self._begin = stream.tell()

    def write(self, data: str, answer: Mapping[str, Any]) -> None:
        """Add a row."""
        vector = answer[self._column]
        if len(vector) != self._width:
            raise ValueError(f"a vector of {len(vector)} numbers among those of {self._width}")
        self._stream.write(vector.astype(self._dtype).tobytes())
        self._rows += 1

    def _write_header(self) -> None:
        shape = (self._rows, self._width)
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(self._stream, header)  # type: ignore[no-untyped-call]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._stream.seek(0)
            self._write_header()
            assert self._stream.tell() == self._begin
            self._stream.seek(0, 2)
