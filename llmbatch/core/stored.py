"""JSON objects as a store holds them, read whatever they are by now."""

from typing import Any

import orjson


def json_table(text: str | None) -> dict[str, Any]:
    """An object; an empty one for anything else."""
    try:
        found = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
