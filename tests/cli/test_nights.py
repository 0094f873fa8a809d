"""A job that lives through nights is each night as one that is made anew.

A short form; the long one: `make test-nights`.
"""

import os
from pathlib import Path

import pytest

from tests.cli.nights.walk import nights
from tests.crash.tracer import Tracer

WALKS = int(os.environ.get("NIGHTS", "0"))
FIRST = int(os.environ.get("SEED", "1"))


@pytest.mark.parametrize("seed", [2, 5] if not WALKS else range(FIRST, FIRST + WALKS))
def test_each_night_is_as_made_anew(seed: int, tmp_path: Path, forks: Tracer) -> None:
    nights(seed, 12 if WALKS else 5, tmp_path, forks)
