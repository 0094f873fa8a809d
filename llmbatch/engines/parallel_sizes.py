"""The number of devices that an engine's options spread it over."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from llmbatch.core.option_name import plain_name

OF_ONE_ENGINE = ("tensor", "pipeline")


def product(options: Mapping[str, Any], kinds: Sequence[str] = OF_ONE_ENGINE) -> int:
    """The product of the options KIND_parallel_size; one that is not given, or no number, counts as
    1."""
    named = {plain_name(name): value for name, value in options.items()}
    sizes = (named.get(f"{kind}_parallel_size") for kind in kinds)
    return prod(size for size in sizes if isinstance(size, int) and size > 0)
