"""The lines of a batch file: a name, an endpoint, and the body of the request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmbatch.core.errors import nearest

FORMAT = "openai-batch"
"""The name of the format, of inputs and of outputs."""
CUSTOM_ID, METHOD, URL, BODY = KEYS = ("custom_id", "method", "url", "body")

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
EMBEDDINGS, SCORE, RERANK = "/v1/embeddings", "/v1/score", "/v1/rerank"
ENDPOINTS = (CHAT, COMPLETIONS, EMBEDDINGS, SCORE, RERANK)
TASKS = {
    CHAT: "generate",
    COMPLETIONS: "generate",
    EMBEDDINGS: "embed",
    SCORE: "score",
    RERANK: "score",
}
"""The task of a job that answers the rows of an endpoint."""
# Other names of the last two.
_SHORT = {"/score": SCORE, "/rerank": RERANK, "/v2/rerank": RERANK}


class BodyError(Exception):
    """A line that cannot be answered, for the reason in the text. `parameter`: the one at fault."""

    def __init__(self, reason: str, parameter: str | None = None) -> None:
        super().__init__(reason)
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Line:
    """A line whose parts are there; `endpoint`: one of `ENDPOINTS`."""

    custom_id: str
    endpoint: str
    body: Mapping[str, Any]

    @property
    def task(self) -> str:
        """The task of a job that answers it."""
        return TASKS[self.endpoint]

    @property
    def model(self) -> str | None:
        """The model that it asks for."""
        return self.body.get("model")


def is_line(record: Mapping[str, Any]) -> bool:
    """True if a record looks like a line of a batch file."""
    if not record.keys() >= set(KEYS):
        return False
    return isinstance(record[BODY], dict) and str(record[URL]).startswith("/")


def read(record: Mapping[str, Any]) -> Line:
    """The parts of a line. Raises BodyError for one that lacks some, or has other ones."""
    for key in KEYS:
        if record.get(key) is None:
            raise BodyError(f"has no {key}", key)
    name, method, url, body = (record[key] for key in KEYS)
    if not isinstance(name, str) or not name:
        raise BodyError(f"custom_id: must be a text (got {str(name)[:40]})", CUSTOM_ID)
    if method != "POST":
        raise BodyError(f"method: must be POST (got {str(method)[:40]})", METHOD)
    if not isinstance(body, dict):
        raise BodyError("body: must be a JSON object", BODY)
    model = body.get("model")
    if model is not None and not isinstance(model, str):
        raise BodyError("model: must be a text", "model")
    return Line(name, _known(url), body)


def endpoint_of(url: object) -> str:
    """The endpoint by its full name, if it is one."""
    return _SHORT.get(str(url), str(url))


def _known(url: object) -> str:
    found = endpoint_of(url)
    if found not in ENDPOINTS:
        raise BodyError(
            f"url {found[:80]!r}: there is no such endpoint{nearest(found, ENDPOINTS)}; those that "
            f"are answered: {', '.join(ENDPOINTS)}",
            URL,
        )
    return found


def is_same_model(asked: str | None, model: str, others: tuple[str, ...] = ()) -> bool:
    """True if a line asks for the job's model: by the name that the job has for it, the last part
    of a folder's, one of `others`, or none at all."""
    last = model.rstrip("/").rpartition("/")[2]
    return asked is None or asked in (model, model.rstrip("/"), last, *others)
