"""The order of the files of tests, and the files that share a worker (`make test` has two).

The tests of a file stay together, because they share what is dear to make. Files that start engines
take longest, so they come first: a long one that is left to the end has a worker to itself while
the other one has nothing to do. The files that use the engine of `tests.engines.vllm.session` are
one piece of work, so that it is started once.
"""

from xdist.scheduler import LoadFileScheduling

ROOMS = (
    "engines/vllm",
    "engines/ray",
    "engines/replicas",
    "engines/http",
    "servers",
    "bench",
    "contracts",
    "docs",
    "layout",
    "crash",
    "cli",
    "store",
    "pipeline",
)
"""By how long their files take; all others come last."""
SHARING = frozenset(
    {
        "tests/contracts/test_asks.py",
        "tests/contracts/test_engine_contract.py",
        "tests/engines/vllm/test_attention.py",
        "tests/engines/vllm/test_begun_answers.py",
        "tests/engines/vllm/test_memory_formula.py",
        "tests/engines/vllm/test_choices.py",
        "tests/engines/vllm/test_engine.py",
        "tests/engines/vllm/test_labels.py",
        "tests/engines/vllm/test_refusals.py",
        "tests/engines/vllm/test_parameters.py",
        "tests/engines/vllm/test_ways.py",
    }
)


def is_left(nodeid: str, following: str) -> bool:
    """True if the test `following` is in another file than the one before it, and in none of those
    that use the session's engine. No other follows if it is empty."""
    file, other = nodeid.partition("::")[0], following.partition("::")[0]
    return other != file and other not in SHARING


def rank(nodeid: str) -> int:
    """The turn of its room."""
    for place, room in enumerate(ROOMS):
        if nodeid.startswith(f"tests/{room}/"):
            return place
    return len(ROOMS)


class LongestFirst(LoadFileScheduling):  # type: ignore[misc]
    """Files in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "the session's engine" if file in SHARING else file
