"""llmbatch: durable batch jobs for language models on your own GPU.

    import llmbatch
    result = llmbatch.run(table, model="Qwen/Qwen3-8B", prompt="Sum up: {{ text }}",
                          output="answers.jsonl")
    result.answers()

`table`: a DataFrame of pandas or polars, an Arrow table, a list of dicts, or the name of a file.
See `llmbatch.notebook`, which is imported when it is first used.
"""

from typing import TYPE_CHECKING, Any

from llmbatch.core.errors import (
    EngineError,
    LlmbatchError,
    LockedError,
    StoreError,
    UnwrittenError,
    UsageError,
)
from llmbatch.core.version import VERSION

if TYPE_CHECKING:
    from llmbatch.notebook.calls import Plan, plan, run
    from llmbatch.notebook.result import Result

__version__ = VERSION

__all__ = [
    "EngineError",
    "LlmbatchError",
    "LockedError",
    "Plan",
    "Result",
    "StoreError",
    "UnwrittenError",
    "UsageError",
    "plan",
    "run",
]

_LATE = {"Plan": "calls", "plan": "calls", "run": "calls", "Result": "result"}


def __getattr__(name: str) -> Any:
    """A name that needs the libraries of a run: they are imported when it is first asked for."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"llmbatch.notebook.{_LATE[name]}"), name)
