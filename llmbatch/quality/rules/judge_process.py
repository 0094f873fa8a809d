"""The process that judges answers by rules, and may be ended over it (`make_function`)."""

import resource
from collections.abc import Callable, Mapping
from dataclasses import astuple
from typing import Any

import orjson
import pyarrow as pa

from llmbatch.quality.rules.judge import RuleJudge
from llmbatch.quality.rules.view import CheckedAnswer, RowView

_MEMORY = 2 * 1024**3  # bytes
# The first array imports pandas, where it is installed: now, before any time is counted.
pa.array([None])


def make_function(settings: Mapping[str, Any]) -> Callable[[str], str]:
    """The judge of the `rules` (texts) of these settings, over rows of their `view`. It
    bounds the memory of its process: DuckDB counts no texts that a function makes."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, most))
    judge = RuleJudge(RowView.from_json(settings["view"]), settings["rules"])

    def function(text: str) -> str:
        only, group = orjson.loads(text)
        found = judge.broken([CheckedAnswer(*each) for each in group], only)
        return orjson.dumps([astuple(each) for each in found]).decode()

    return function
