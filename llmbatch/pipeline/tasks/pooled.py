"""The settings of [embed] that other tasks of numbers have, too: those that are about texts."""

from typing import Literal

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Ask
from llmbatch.job.embed import EmbedSpec
from llmbatch.job.fields import given_keys
from llmbatch.job.flags import flag_name
from llmbatch.job.spec import JobSpec

SECTION = "embed"
CUT = "cut"
"""The column that says how many tokens of a text were left out: 0 where it was not too long."""
_SHARED = {"score": {"overflow", "pooling"}, "classify": {"overflow"}}


def ask_of(kind: Literal["score", "heads"], spec: JobSpec) -> Ask:
    """The ask of a task of numbers that is not for vectors."""
    return Ask(kind, pooling=spec.embed.pooling, overflow=spec.embed.overflow)


def fields(ask: Ask) -> dict[str, str]:
    """The types of the columns that say what became of a text that is too long."""
    return {} if ask.overflow == "fail" else {CUT: "integer"}


def require_shared(given: EmbedSpec, task: str) -> None:
    """Raise UsageError for a setting of vectors alone."""
    for name in given_keys(given):
        if name not in _SHARED[task]:
            raise UsageError(f"{flag_name(f'{SECTION}.{name}')}: it is for --task embed")
    if given.overflow == "split":
        raise UsageError(
            f"--overflow split: for --task {task} a text fails, or is cut (truncate): the mean of "
            "several answers is none"
        )
