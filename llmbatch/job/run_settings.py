"""The table [run]: how the work is cut and saved, what is tried again, and when to stop."""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import ValidationInfo, field_validator

from llmbatch.job import stop_rules
from llmbatch.job.fields import Section, neutral

# Seconds and sums that no clock and no sum of them runs over.
_LONGEST = 1e9


class RunSpec(Section):
    """How the work is cut and saved, what is tried again, and when to stop."""

    chunk_size: int = neutral(4096, "requests in a chunk", ge=1, lt=2**31)
    checkpoint_rows: int = neutral(256, "commit after this many outcomes", ge=1, lt=2**31)
    checkpoint_seconds: float = neutral(2.0, "commit after this many seconds", gt=0, le=3600)
    attempts: int = neutral(2, "tries of a request whose failure a retry may mend", ge=1, le=16)
    engine_restarts: int = neutral(5, "restarts in a row that bring nothing", ge=0, lt=2**31)
    stall_timeout: float = neutral(
        300.0, "seconds without progress: the engine hangs", gt=0, le=_LONGEST
    )
    grace: float = neutral(
        20.0, "seconds to finish what is in flight after a signal", ge=0, le=_LONGEST
    )
    deadline: str | None = neutral(None, "stop by this time of day, or after this duration")
    max_cost: float | None = neutral(None, "stop before a run costs more than this", gt=0)
    max_rows: int | None = neutral(None, "stop after sending this many requests", ge=1)
    max_failed: str | None = neutral(None, "failed rows that still count as success: 20 or 2%")
    fail_fast: str | None = neutral(None, "stop when more of the last outcomes failed: 50%/100")
    if_locked: Literal["fail", "skip", "wait"] = neutral("fail", "when another run holds the job")
    metrics_file: str | None = neutral(None, "Prometheus textfile, ending in .prom", min_length=1)

    reports: tuple[str, ...] = neutral((), "files for the report: .txt, .json, .md or .html")

    @field_validator("max_failed", mode="before")
    @classmethod
    def _number_or_share(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("deadline", "max_failed", "fail_fast")
    @classmethod
    def _can_be_read(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            _READERS[str(info.field_name)](value)
        return value


_READERS: dict[str, Callable[[str], object]] = {
    "deadline": stop_rules.check_deadline,
    "max_failed": stop_rules.Tolerance.parse,
    "fail_fast": stop_rules.FailureRate.parse,
}
