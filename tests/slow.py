"""The slow tests: those that took a quarter of a second or more when the list was last recorded.

`slow_tests.txt` beside this file is that list, a function a line, all its parameters together.
`make test-fast` leaves them out; `make slow-tests` records the list anew. A new test counts as
quick until then, and pytest shows at the end of `make test-fast` which ones are not.
"""

from collections import defaultdict
from pathlib import Path

import pytest

LIST = Path(__file__).with_name("slow_tests.txt")
LIMIT = 0.25
"""Seconds, with the fixtures that a test is the first to need."""


def name_of(nodeid: str) -> str:
    """The function of a test, without its parameters."""
    return nodeid.partition("[")[0]


def names() -> frozenset[str]:
    """The functions of the list."""
    return frozenset(LIST.read_text(encoding="utf-8").split())


def mark(items: list[pytest.Item]) -> None:
    """Give the tests of the list the mark `slow`."""
    slow = names()
    for item in items:
        if name_of(item.nodeid) in slow:
            item.add_marker(pytest.mark.slow)


class Recorder:
    """Measures all tests of a session, and writes the list at its end.

    Of files that did not run the list keeps what it has.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration

    def pytest_sessionfinish(self) -> None:
        files = {nodeid.partition("::")[0] for nodeid in self._seconds}
        kept = {name for name in names() if name.partition("::")[0] not in files}
        slow = {name_of(nodeid) for nodeid, took in self._seconds.items() if took >= LIMIT}
        there = {name for name in kept if Path(name.partition("::")[0]).exists()}
        LIST.write_text("".join(f"{name}\n" for name in sorted(there | slow)), encoding="utf-8")
