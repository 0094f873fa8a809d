"""A sample of answers for people to label: doubtful ones more often, each with its weight."""

import pytest

from llmbatch.quality import label_strata
from llmbatch.quality.label_strata import Traits, draw

DOUBTFUL = [Traits(row, 0.4, True, 10) for row in range(20)]
PLAIN = [Traits(row, 0.97, False, 10 + row % 90) for row in range(20, 1_000)]
EVERY = DOUBTFUL + PLAIN


def test_doubtful_rows_are_drawn_more_often_and_weights_take_it_back() -> None:
    sample = draw(EVERY, 100, seed=0)
    assert len(sample.rows) == 100
    assert sum(stratum.rows for stratum in sample.strata) == 1_000
    assert sum(stratum.drawn for stratum in sample.strata) == 100
    assert sum(stratum.weight for stratum in sample.rows.values()) == pytest.approx(1_000)
    of_doubtful, of_plain = (
        sum(row.row in sample.rows for row in rows) / len(rows) for rows in (DOUBTFUL, PLAIN)
    )
    assert of_doubtful > 2 * of_plain
    assert [*sample.rows] == sorted(sample.rows)


def test_strata_have_names_that_people_can_read() -> None:
    names = [stratum.name for stratum in draw(EVERY, 200, seed=0).strata]
    assert names == [
        "confidence below 0.5, flagged, short",
        "confidence 0.95 or more, not flagged, short",
        "confidence 0.95 or more, not flagged, middling",
        "confidence 0.95 or more, not flagged, long",
    ]
    assert [stratum.name for stratum in draw(EVERY, 20, seed=0).strata] == [
        "confidence below 0.5, flagged",
        "confidence 0.95 or more, not flagged",
    ]
    assert [stratum.name for stratum in draw(EVERY, 200, seed=0, factors=[]).strata] == ["all"]
    plain = [Traits(row, None, False, 5) for row in range(50)]
    assert [stratum.name for stratum in draw(plain, 40, seed=0).strata] == ["not flagged"]


def test_the_seed_decides_and_a_larger_sample_holds_the_smaller() -> None:
    small, large = draw(EVERY, 100, seed=3), draw(EVERY, 200, seed=3)
    assert small.rows.keys() == draw(EVERY[::-1], 100, seed=3).rows.keys()
    assert small.rows.keys() <= large.rows.keys()
    assert small.rows.keys() != draw(EVERY, 100, seed=4).rows.keys()


@pytest.mark.parametrize(("rows", "size"), [(0, 5), (1, 5), (5, 5), (5, 9), (9, 1), (30, 3)])
def test_there_are_never_more_rows_than_there_are(rows: int, size: int) -> None:
    sample = draw(EVERY[15 : 15 + rows], size, seed=0)
    assert len(sample.rows) == min(rows, size)
    assert all(stratum.drawn for stratum in sample.strata)


def test_a_small_stratum_is_taken_whole_and_the_others_get_the_rest() -> None:
    few = [Traits(row, 0.3, True, 10) for row in range(3)]
    sample = draw(few + PLAIN, 50, seed=0, factors=["flags"])
    assert [(stratum.drawn, stratum.rows) for stratum in sample.strata] == [(3, 3), (47, 980)]
    assert sample.strata[0].weight == 1


def test_the_allocation_follows_size_and_scatter() -> None:
    # Neyman: 900 x sqrt(0.5 x 0.5) to 100 x sqrt(0.02 x 0.98) is 450 to 14.
    doubtful = [Traits(row, 0.45, False, 10) for row in range(900)]
    sure = [Traits(row, 0.99, False, 10) for row in range(900, 1_000)]
    found = draw(doubtful + sure, 200, seed=0, factors=["confidence"]).strata
    assert found[0].drawn == pytest.approx(200 * 450 / 464, abs=1)
    assert label_strata.FACTORS == ("confidence", "flags", "length")
