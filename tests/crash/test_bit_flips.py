"""`bit_flips.py` in its short form."""

from pathlib import Path

from tests.crash import bit_flips

TRIES = 10


def test_damage_at_random_places_loses_nothing_and_is_told(tmp_path: Path) -> None:
    base = bit_flips.prepare(tmp_path / "base")
    result = bit_flips.torment(base, tmp_path, TRIES, seed=20261127, run_every=TRIES)
    print(bit_flips.summary(result))
    assert result.problems == []
    assert len(result.orders) == len(bit_flips.ORDERS)
    # The experiment has found what it looks for.
    assert result.mended and result.repaired and result.finished
