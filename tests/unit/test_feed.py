"""What the engine is given, and in which order."""

from pathlib import Path

import pytest

from tests.unit.workbench import Bench, engine


@pytest.mark.parametrize("chunk_size", [1, 7, 4096])
def test_groups_of_a_prefix_stay_whole_across_chunks(tmp_path: Path, chunk_size: int) -> None:
    """The order in which requests are computed does not depend on where chunks end."""
    ledger = tmp_path / "ledger"
    texts = [f"group {number % 5} row {number:02d}" for number in range(40)]
    bench = Bench(tmp_path / "job", texts, run={"chunk_size": chunk_size})
    assert bench.drive(engine(ledger=str(ledger)))
    planned = bench.db.execute(
        "SELECT replace(key::VARCHAR, '-', '') FROM requests ORDER BY position"
    )
    assert ledger.read_text().split() == [key for (key,) in planned]
    prompts = bench.db.execute("SELECT messages FROM requests ORDER BY position")
    groups = [messages.split("group ")[1][0] for (messages,) in prompts]
    assert groups == sorted(groups)
