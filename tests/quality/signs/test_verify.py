"""The signs against faults that were marked by hand: nearly as often right as the README says."""

from tests.quality.signs import verify
from tests.quality.signs.verify import FILES, Score


def test_signs_are_right_on_marked_answers() -> None:
    scores: dict[str, Score] = {}
    for labelled in FILES:
        if labelled.name in ("summaries", "planted"):
            verify.measure(labelled, scores)
    right = {name: score.both / max(1, score.flagged) for name, score in scores.items()}
    found = {name: score.both / score.faulty for name, score in scores.items() if score.faulty}
    assert right["echo"] >= 0.7
    assert found["echo"] == 1
    assert (right["refusal"], found["refusal"] > 0.7) == (1, True)
    assert (right["leak"], found["leak"] > 0.7) == (1, True)
    assert (right["empty"], right["one_word"]) == (1, 1)
