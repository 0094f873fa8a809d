"""The end of a run is an exit code that make, cron and CI can act on."""

import signal

import pytest

from llmbatch.core import errors
from llmbatch.core.errors import ExitCode
from llmbatch.job.run_settings import RunSpec
from llmbatch.pipeline.run.exit_of import exit_of
from llmbatch.pipeline.run.stop_request import StopRequest
from llmbatch.store.failures import NewFailures
from llmbatch.store.results import Counts

NONE_NEW = NewFailures()


@pytest.mark.parametrize(
    ("counts", "number", "code"),
    [
        (Counts(answered=3), None, 0),
        (Counts(), None, 0),
        (Counts(answered=2, failed=1), None, 3),
        (Counts(answered=2, rejected=1), None, 3),
        (Counts(failed=3), None, 3),
        (Counts(rejected=3), None, 3),
        (Counts(answered=2, pending=1), None, 4),
        (Counts(failed=2, pending=1), None, 4),
        (Counts(answered=2, pending=1), signal.SIGINT, 130),
        (Counts(answered=2, pending=1), signal.SIGTERM, 143),
        (Counts(answered=2, pending=1), signal.SIGHUP, 129),
        # The signal came when the work was done already.
        (Counts(answered=3), signal.SIGTERM, 0),
        (Counts(failed=3), signal.SIGINT, 3),
        # Skipped rows are no failures, but a run that answered nothing is no success.
        (Counts(answered=2, skipped=5), None, 0),
        (Counts(answered=2, skipped=5, failed=1), None, 3),
        (Counts(skipped=5), None, 3),
        (Counts(skipped=5, pending=1), None, 4),
    ],
)
def test_the_exit_of_a_run(counts: Counts, number: int | None, code: int) -> None:
    stop = StopRequest()
    stop.signal = number
    found, reason = exit_of(counts, NONE_NEW, stop, RunSpec())
    assert found == code
    assert isinstance(found, ExitCode)
    assert reason


@pytest.mark.parametrize(
    ("tolerance", "counts", "code"),
    [
        ("2", Counts(answered=8, failed=1, rejected=1), 0),
        ("1", Counts(answered=8, failed=1, rejected=1), 3),
        ("20%", Counts(answered=8, failed=1, rejected=1), 0),
        ("19.9%", Counts(answered=8, failed=1, rejected=1), 3),
        ("100%", Counts(failed=3), 3),
        ("100%", Counts(skipped=3), 3),
        # The share is that of the rows that were asked.
        ("20%", Counts(answered=8, failed=2, skipped=90), 0),
        ("19%", Counts(answered=8, failed=2, skipped=90), 3),
        ("0", Counts(answered=3), 0),
        ("100%", Counts(answered=1, pending=1), 4),
    ],
)
def test_failures_within_the_tolerance_are_a_success(
    tolerance: str, counts: Counts, code: int
) -> None:
    assert exit_of(counts, NONE_NEW, StopRequest(), RunSpec(max_failed=tolerance))[0] == code


def test_the_reason_of_a_stop_is_told() -> None:
    stop = StopRequest()
    stop.request("--max-rows reached")
    stop.request("another reason, which came later")
    found = exit_of(Counts(pending=1), NONE_NEW, stop, RunSpec())
    assert found == (ExitCode.STOPPED, "--max-rows reached")


@pytest.mark.parametrize(
    ("rules", "new", "code", "told"),
    [
        ({}, NewFailures(0, 0, 9), 3, "finished, 3 rows not answered, none new"),
        ({"max_new_failed": "0"}, NewFailures(0, 0, 9), 0, "none new (--max-new-failed 0)"),
        ({"max_new_failed": "0"}, NewFailures(1, 0, 9), 3, "3 rows not answered, 1 new"),
        ({"max_new_failed": "0"}, NewFailures(0, 1, 9), 3, "3 rows not answered, 1 new"),
        (
            {"max_new_failed": "10%"},
            NewFailures(1, 0, 10),
            0,
            "1 new (--max-new-failed 10%)",
        ),
        ({"max_new_failed": "10%"}, NewFailures(1, 0, 9), 3, "1 new"),
        # Both must hold where both are given.
        ({"max_new_failed": "3", "max_failed": "2"}, NewFailures(), 3, "none new"),
        ({"max_new_failed": "0", "max_failed": "3"}, NewFailures(1, 0, 9), 3, "1 new"),
        ({"max_new_failed": "9"}, NewFailures(2, 1, 9), 0, "finished, 3 rows not answered (--max"),
    ],
)
def test_failures_that_were_reported_before_can_pass(
    rules: dict[str, str], new: NewFailures, code: int, told: str
) -> None:
    counts = Counts(answered=50, failed=2, rejected=1)
    found, reason = exit_of(counts, new, StopRequest(), RunSpec.model_validate(rules))
    assert (found, told in reason) == (code, True), reason


def test_rows_in_are_all_rows() -> None:
    assert Counts(answered=1, failed=2, pending=3, rejected=4).rows_in == 10


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.LlmbatchError, 1),
        (errors.UsageError, 2),
        (errors.EngineError, 5),
        (errors.LockedError, 75),
    ],
)
def test_an_error_knows_its_exit_code(error: type[errors.LlmbatchError], code: int) -> None:
    assert error("x").exit_code == code


def test_exit_codes_are_what_the_help_says() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "BUG": 1,
        "USAGE": 2,
        "INCOMPLETE": 3,
        "STOPPED": 4,
        "ENGINE": 5,
        "GOLD": 6,
        "LOCKED": 75,
        "SIGHUP": 129,
        "SIGINT": 130,
        "SIGTERM": 143,
    }


@pytest.mark.parametrize("counts", [Counts(answered=3), Counts(answered=2, pending=1)])
def test_a_gold_set_that_failed_is_the_reason_whatever_is_left(counts: Counts) -> None:
    stop = StopRequest()
    stop.request("the gold set failed")
    found = exit_of(counts, NONE_NEW, stop, RunSpec(max_failed="100%"), "the gold set failed: 0")
    assert found == (ExitCode.GOLD, "the gold set failed: 0")
