"""JSON objects of a store, read without trust in what other versions have written."""

from typing import Any

import orjson


def json_table(text: str | None) -> dict[str, Any]:
    """An object; an empty one for anything else."""
    try:
        found = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
