"""Tables made without pandas hold what pyarrow's own would."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.outcomes import Verdict
from llmbatch.store import arrow_columns
from tests.cli.command import Job, environment

KINDS = {
    "text": (pa.string(), st.text()),
    "integers": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "numbers": (pa.float64(), st.floats(allow_nan=False)),
    "truth values": (pa.bool_(), st.booleans()),
    "times": (pa.timestamp("us"), st.datetimes()),
    "times in a zone": (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(UTC))),
    "enumerated": (pa.string(), st.sampled_from(Verdict)),
}


@pytest.fixture(autouse=True)
def _pandas_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And was not imported yet."""
    monkeypatch.setattr(arrow_columns, "_costs_nothing", lambda: False)


@pytest.mark.parametrize("name", KINDS)
@given(data=st.data())
def test_a_column_is_that_of_pyarrow(name: str, data: st.DataObject) -> None:
    kind, values = KINDS[name]
    column = data.draw(st.lists(st.none() | values, max_size=20))
    typed = arrow_columns.typed_table([column], pa.schema([("c", kind)]))
    assert typed.equals(pa.table([pa.array(column, kind)], names=["c"]))
    inferred = arrow_columns.table({"c": column})
    assert inferred.equals(pa.table({"c": pa.array(column)}))
    inferred.validate(full=True)


@pytest.mark.parametrize(
    ("values", "kind"),
    [([1, "a"], pa.string()), (["3"], pa.int64()), ([2**63], pa.int64())],
)
def test_a_value_of_another_type_is_an_error(values: list[Any], kind: pa.DataType) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        arrow_columns.typed_table([values], pa.schema([("c", kind)]))


@pytest.mark.parametrize("part", [lambda a: a, lambda a: a.slice(2, 2), lambda a: a.slice(5)])
def test_the_values_of_a_part(part: Callable[[pa.Array], pa.Array]) -> None:
    chunk = part(pa.array(np.arange(5, dtype=np.int64)))
    assert arrow_columns.int64s(chunk).tolist() == chunk.to_pylist()


def test_a_run_does_not_import_pandas(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.write("in.csv", "id,text\n1,hello\n")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "llmbatch", *job.arguments()],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "pyarrow" in imported
    assert "pandas" not in imported
