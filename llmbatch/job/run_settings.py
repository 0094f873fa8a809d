"""The table [run]: chunks and checkpoints, retries, and rules to stop."""

import re
from collections.abc import Callable
from typing import Any, Literal

from pydantic import ValidationInfo, field_validator

from llmbatch.job import feedback_text, stop_rules
from llmbatch.job.fields import Seconds, Section, neutral

# In seconds: longer than any run, and small enough to be added to any time of a clock.
_LONGEST = 1e9


class RunSpec(Section):
    """Chunks and checkpoints, retries, and rules to stop."""

    chunk_size: int = neutral(4096, "Requests in a chunk.", ge=1, lt=2**31)
    checkpoint_rows: int | None = neutral(
        None,
        "Commit after this many outcomes.",
        by_default="256, or those of a tenth of a second",
        ge=1,
        lt=2**31,
    )
    checkpoint_seconds: Seconds = neutral(
        2.0, "Commit after this time.", by_default="2s", gt=0, le=3600
    )
    attempts: int = neutral(
        2, "Tries of a request that was cut off or broke its constraint.", ge=1, le=16
    )
    # As with `attempts`: the first try is the same, and what a later one answers is accepted by the
    # same form and rules.
    feedback: bool = neutral(
        False,
        "Show the model its own answer, and why it is not accepted, when one that broke its form "
        "or a rule is tried again.",
    )
    feedback_text: str | None = neutral(
        None,
        "What the model is told then; {{ reason }} stands for why.",
        by_default="that, and to answer again",
    )
    # An answer that was accepted is the same with any value; one that was ended has failed.
    repetition: Literal["off"] | int = neutral(
        128, "End an answer in which the same tokens come so many times in a row; off never does."
    )
    # The same cut answer counts as the one or as the other: see `pipeline/run/reopening`.
    on_truncated: Literal["fail", "keep"] = neutral(
        "fail",
        "An answer of free text that was cut at max_tokens, or where the context ends: a failure, "
        "or kept as an answer (its finish_reason says so).",
    )
    engine_restarts: int = neutral(
        5, "Give up after this many restarts in a row without an answer.", ge=0, lt=2**31
    )
    stall_timeout: Seconds = neutral(
        300.0,
        "Restart the engine after this time without progress.",
        by_default="5m",
        gt=0,
        le=_LONGEST,
    )
    grace: Seconds = neutral(
        20.0,
        "Time to finish the requests in flight after a signal.",
        by_default="20s",
        ge=0,
        le=_LONGEST,
    )
    deadline: str | None = neutral(
        None, "Be done by a time of day (06:00), or after a time (2h, 1h30m, 90s)."
    )
    max_cost: float | None = neutral(
        None,
        "Spend no more than this in this run, but for the end of what is in flight; needs "
        "--price-per-hour or --price-per-million.",
        gt=0,
    )
    max_rows: int | None = neutral(None, "Send no more than this many requests in this run.", ge=1)
    max_failed: str | None = neutral(
        None, "Exit 0 with up to this many rows failed or rejected: 20, or 2% of those not skipped."
    )
    max_new_failed: str | None = neutral(
        None,
        "Exit 0 with up to this many rows failed or rejected that no finished run has reported "
        "before: 0, 20, or 2% of those that were worked on since.",
    )
    max_churn: str | None = neutral(
        None,
        "Exit 3, once all is written, if more of the answers to the same input are others than "
        "after the run before: 5%.",
    )
    fail_fast: str | None = neutral(
        None,
        "Stop when more of the last outcomes failed: 50% (of 100) or 50%/200; off never does.",
        by_default="when the first 50 all fail for one reason",
    )
    expect_reuse: str | None = neutral(
        None,
        "Exit 2 before an engine starts if fewer of the rows are answered already: 90%. Not with "
        "a job's first run.",
    )
    if_locked: Literal["fail", "skip", "wait"] = neutral(
        "fail", "What to do when another run holds the job."
    )
    device_lock: Literal["wait", "skip", "fail"] | None = neutral(
        None,
        "Have the devices alone while an engine is needed, and what to do when another run with "
        "this setting has them.",
        by_default="share them",
    )
    metrics_file: str | None = neutral(
        None,
        "Keep a Prometheus textfile (*.prom) up to date, for node_exporter's textfile collector.",
        min_length=1,
    )

    reports: tuple[str, ...] = neutral(
        (), "Files to write the report to: .txt, .json, .md or .html."
    )
    # Which rows are answered, not how.
    shard: str | None = neutral(
        None,
        "Work on one of N parts of the rows, 2/8, with an output and a state folder of its own; "
        "llmbatch merge makes the whole job of them.",
    )

    @property
    def keeps_cut(self) -> bool:
        """True if an answer that was cut is an answer."""
        return self.on_truncated == "keep"

    @property
    def most_repetitions(self) -> int:
        """The repetitions that end an answer; 0: none do."""
        return 0 if self.repetition == "off" else self.repetition

    @field_validator("repetition", mode="before")
    @classmethod
    def _some_repetitions(cls, value: Any) -> Any:
        number = int(value) if isinstance(value, str) and value.isdecimal() else value
        is_number = isinstance(number, int) and not isinstance(number, bool)
        if number != "off" and not (is_number and 2 <= number < 2**31):
            raise ValueError("write a number of times, from 2 on, or off")
        return number

    @field_validator("feedback_text")
    @classmethod
    def _can_be_filled(cls, value: str | None) -> str | None:
        if value is not None:
            feedback_text.check(value)
        return value

    @field_validator("deadline", "max_failed", "max_new_failed", mode="before")
    @classmethod
    def _number_or_text(cls, value: Any) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return f"{value:g}" if is_number else value

    @field_validator(
        "deadline",
        "max_failed",
        "max_new_failed",
        "fail_fast",
        "expect_reuse",
        "max_churn",
        "shard",
    )
    @classmethod
    def _can_be_read(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            _READERS[str(info.field_name)](value)
        return value


def _check_shard(value: str) -> None:
    match = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", value)
    if not match or int(match[1]) > int(match[2]):
        raise ValueError("write a number and how many there are: 2/8")


_READERS: dict[str, Callable[[str], object]] = {
    "deadline": stop_rules.check_deadline,
    "max_failed": stop_rules.Tolerance.parse,
    "max_new_failed": stop_rules.Tolerance.parse,
    "fail_fast": stop_rules.fail_fast_rate,
    "expect_reuse": stop_rules.share,
    "max_churn": stop_rules.share,
    "shard": _check_shard,
}
