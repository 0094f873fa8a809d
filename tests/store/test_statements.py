"""The SQL files, as every version of DuckDB that is allowed reads them."""

import re
from pathlib import Path

import pytest

from llmbatch.store import opening

FILES = sorted(Path(opening.__file__).with_name("sql").glob("*.sql"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_is_taken_out_of_json_stands_in_brackets(file: Path) -> None:
    """Before 2.0 `a = b AND c ->> 'd'` is `(a = b AND c) ->> 'd'`."""
    bare = re.compile(
        r"\b(AND|OR|NOT|WHERE|ON|WHEN|HAVING)\s+[\w.]+\s*->|->>? '[^']*'\s*(IS|=|<|>|IN)"
    )
    assert [found.group() for found in bare.finditer(file.read_text())] == []
