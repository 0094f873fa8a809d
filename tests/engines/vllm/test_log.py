"""A log that cannot be written stops nothing."""

from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Constraint, Sampling
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.vllm import engine as vllm
from tests.engines.vllm import session

pytestmark = session.needs_vllm


@pytest.mark.parametrize("place", [".", "there/is/no/such/folder/run.log"])
def test_without_its_log_an_engine_still_judges_requests(tmp_path: Path, place: str) -> None:
    config = EngineConfig(str(session.MODEL), session.OPTIONS, str(tmp_path / place))
    engine = vllm.create(config)
    engine.check(Sampling(), None)
    with pytest.raises(UsageError, match="refuses"):
        engine.check(Sampling(), Constraint("regex", "(?=lookahead)a"))
