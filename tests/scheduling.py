"""In which order the files of tests run, and which of them share a worker (`make test` has two).

The tests of a file stay together, because they share what is dear to make. Files that start engines
take longest, so they come first: a long one that is left to the end has a worker to itself while
the other one has nothing to do. The files that use the engine of `tests.engine.session` are one
piece of work, so that it is started once.
"""

from xdist.scheduler import LoadFileScheduling

ROOMS = ("engine", "bench", "contracts", "docs", "crash", "cli", "store", "unit")
"""By how long their files take."""
SHARING = frozenset(
    {
        "tests/contracts/test_engine_contract.py",
        "tests/engine/test_memory_formula.py",
        "tests/engine/test_vllm_engine.py",
        "tests/engine/test_vllm_refusals.py",
        "tests/engine/test_vllm_ways.py",
    }
)


def rank(nodeid: str) -> int:
    """Which room's turn it is; tests outside of all rooms come last."""
    room = nodeid.split("/")[1] if nodeid.startswith("tests/") else ""
    return ROOMS.index(room) if room in ROOMS else len(ROOMS)


class LongestFirst(LoadFileScheduling):  # type: ignore[misc]
    """Files in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "the session's engine" if file in SHARING else file
