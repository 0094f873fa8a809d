"""The reasons for which answers would not come out alike are said, and no others."""

from collections.abc import Mapping

import pytest

from llmbatch.job.spec import JobSpec
from llmbatch.quality import repeatability


def told(kind: str | None, settings: Mapping[str, object] | None = None, **sampling: float) -> str:
    table = {"input": "a", "output": "b", "model": "m", "prompt": "p", "sampling": sampling}
    return "; ".join(repeatability.notes(JobSpec.model_validate(table), kind, settings or {}))


def test_draws_without_a_seed_are_not_repeated() -> None:
    assert "without a seed" in told("cpu", temperature=0.7)
    assert "without a seed" not in told("cpu", temperature=0.7, seed=1)
    assert "without a seed" not in told("cpu")


@pytest.mark.parametrize(
    ("kind", "said"), [("gpu", "on a GPU"), ("cpu", "on a CPU"), (None, "names no device")]
)
def test_the_device_decides(kind: str | None, said: str) -> None:
    assert said in told(kind)


def test_speculation_is_named_where_answers_are_drawn() -> None:
    settings = {"speculative_config": {"method": "ngram"}}
    assert "speculation" in told("cpu", settings, temperature=1, seed=1)
    assert "speculation" not in told("cpu", settings)
