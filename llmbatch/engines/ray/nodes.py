"""The version of llmbatch on the nodes of a cluster."""

from pathlib import Path
from typing import Any

from llmbatch.core import version
from llmbatch.core.version import VERSION

OUR_FOLDER = str(Path(version.__file__).parents[1])
_SECONDS = 30.0


def version_here() -> str:
    """Runs on a node, which unpickles it by its name: without our code there it fails."""
    return VERSION


def have_our_version(ray: Any) -> bool:
    """True if each node has this version of llmbatch."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

    alive = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    asked = ray.remote(version_here)
    tasks = [
        asked.options(num_cpus=0, max_retries=0, scheduling_strategy=On(node, soft=False)).remote()
        for node in alive
    ]
    try:
        found = ray.get(tasks, timeout=_SECONDS)
    except Exception:  # of many kinds: what is not there cannot tell us
        return False
    return all(version == VERSION for version in found)
