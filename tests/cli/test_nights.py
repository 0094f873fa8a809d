"""A job that lives through nights is each night as one that is made anew.

A short form; the long one: `make test-nights`.
"""

import os
from pathlib import Path

import pytest

from tests.cli.nights.steps import TELLING
from tests.cli.nights.walk import nights
from tests.crash.tracer import Tracer

WALKS = int(os.environ.get("WALKS", "1"))
FIRST = int(os.environ.get("SEED", "2"))
NIGHTS = 12 if WALKS > 1 else 4


@pytest.mark.parametrize("seed", range(FIRST, FIRST + WALKS))
def test_each_night_is_as_made_anew(seed: int, tmp_path: Path, forks: Tracer) -> None:
    nights(seed, NIGHTS, tmp_path, forks)


def test_telling_nights_are_as_made_anew(tmp_path: Path, forks: Tracer) -> None:
    nights(1, len(TELLING), tmp_path, forks, first=TELLING)
