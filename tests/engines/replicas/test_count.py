import pytest

from llmbatch.engines.replicas.count import ReplicaCount


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("3", ReplicaCount(3, 3)),
        ("2..8", ReplicaCount(2, 8)),
        ("auto", ReplicaCount(1, None)),
        (" auto ", ReplicaCount(1, None)),
    ],
)
def test_a_count_is_a_number_a_range_or_auto(text: str, count: ReplicaCount) -> None:
    assert ReplicaCount.parse(text) == count


@pytest.mark.parametrize("text", ["0", "3..2", "-1", "many", "", "1..", "1.5", "0..2"])
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a number of replicas"):
        ReplicaCount.parse(text)


def test_only_a_number_is_fixed() -> None:
    assert [ReplicaCount.parse(text).fixed for text in ("4", "2..4", "auto")] == [4, None, None]
