"""Short ways to say a request."""

import itertools
import json
from typing import Any

from llmbatch.core.records import Constraint, Message, Request, Sampling

_numbers = itertools.count(1)


def ask(text: str, constraint: Constraint | None = None, **sampling: Any) -> Request:
    """A request with one user message and a key of its own."""
    values = {"max_tokens": 8} | sampling
    key = f"{next(_numbers):032x}"
    return Request(key, (Message("user", text),), Sampling(**values), constraint)


def choice(*values: str) -> Constraint:
    return Constraint("choice", json.dumps(values))


def schema(**properties: Any) -> Constraint:
    """A JSON constraint: an object with exactly these properties."""
    whole = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return Constraint("json", json.dumps(whole))
