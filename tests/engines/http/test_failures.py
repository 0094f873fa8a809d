"""The table of errors of servers: whose each is, and what is said of it."""

import json

import pytest

from llmbatch.engines.http import failures
from llmbatch.engines.http.failures import Fault


def error(message: str, kind: str = "", parameter: str = "", code: str = "") -> bytes:
    told = {"message": message, "type": kind, "param": parameter, "code": code}
    return json.dumps({"error": told}).encode()


MODEL = "The model `x` does not exist."
LENGTH = "This model's maximum context length is 512 tokens. However, you requested 600."
ENDED = "EngineCore encountered an issue. See stack trace (above) for the root cause."

CASES = [
    (400, {}, error("top_p must be in (0, 1]", "BadRequestError"), Fault.ROW, "refused_request"),
    (400, {}, error(LENGTH, "BadRequestError", "input_tokens"), Fault.ROW, "too_long"),
    (400, {}, error("x", code="context_length_exceeded"), Fault.ROW, "too_long"),
    (400, {}, error(LENGTH, "BadRequestError", "max_tokens"), Fault.ROW, "refused_request"),
    (413, {}, b"<html>too large</html>", Fault.ROW, "refused_request"),
    (422, {}, b'{"detail": [{"msg": "field required"}]}', Fault.ROW, "refused_request"),
    (401, {}, error("Incorrect API key"), Fault.SETTING, ""),
    (403, {}, b"", Fault.SETTING, ""),
    (402, {}, b"", Fault.SETTING, ""),
    (404, {}, error(MODEL, "NotFoundError", "model"), Fault.SETTING, "does not serve this model"),
    (404, {}, b'{"detail": "Not Found"}', Fault.SETTING, "has no such endpoint"),
    (405, {}, b"", Fault.SETTING, "has no such endpoint"),
    (302, {"location": "https://a/b"}, b"", Fault.SETTING, ""),
    (429, {}, error("slow down"), Fault.LIMIT, ""),
    (429, {}, error("no money", code="insufficient_quota"), Fault.SETTING, "has no money"),
    (503, {"retry-after": "2"}, b"", Fault.LIMIT, ""),
    (503, {}, b"Loading model", Fault.AWAY, ""),
    (502, {}, b"<html>bad gateway</html>", Fault.AWAY, ""),
    (500, {}, error(ENDED, "InternalServerError"), Fault.AWAY, "is ending"),
    (500, {}, error("oops", "InternalServerError"), Fault.SERVER, ""),
    (408, {}, b"", Fault.SERVER, ""),
    (204, {}, b"", Fault.SERVER, ""),
]


@pytest.mark.parametrize(("status", "headers", "body", "fault", "says"), CASES)
def test_each_error_has_its_place(
    status: int, headers: dict[str, str], body: bytes, fault: Fault, says: str
) -> None:
    found = failures.problem_of(status, headers, body)
    assert found.fault is fault
    assert says in (found.kind if fault is Fault.ROW else found.text)
    assert "\n" not in found.text


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry-after": "7"}, 7, 7),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25, 0.25),
        ({"retry-after": "Fri, 31 Dec 2100 23:59:59 GMT"}, 1e9, 1e10),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0, 0),
    ],
)
def test_retry_after_is_a_number_or_a_date(
    headers: dict[str, str], least: float, most: float
) -> None:
    found = failures.retry_after(headers)
    assert found is not None
    assert least <= found <= most


def test_retry_after_that_cannot_be_read_is_none() -> None:
    assert failures.retry_after({"retry-after": "soon"}) is None
    assert failures.retry_after({"retry-after": "-1"}) is None


def test_a_request_is_to_blame_once_chance_does_not_explain_it() -> None:
    assert not failures.is_no_chance(3, failed=3, answered=1000)
    assert failures.is_no_chance(6, failed=6, answered=1000)
    # At a server that fails three of ten, ten failures in a row are nothing unusual.
    assert not failures.is_no_chance(10, failed=300, answered=700)
    assert failures.is_no_chance(20, failed=300, answered=700)
    # One that fails always is not the fault of a request: it is left out.
    assert not failures.is_no_chance(50, failed=5000, answered=0)
