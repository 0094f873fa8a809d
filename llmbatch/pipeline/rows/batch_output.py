"""The output and the error file of a job that answers a batch file, in the shape of OpenAI's."""

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any, BinaryIO

import orjson

from llmbatch.batch_files import lines, responses, wanted
from llmbatch.batch_files.lines import CUSTOM_ID, BodyError
from llmbatch.core import exact_json
from llmbatch.core.errors import InvariantError
from llmbatch.core.records import Reject

# A text in JSON, without the escapes that a name need not have.
_NAME = re.compile(rf'"{CUSTOM_ID}"\s*:\s*("[^"\\\x00-\x1f]*")')

Row = Mapping[str, Any]


def write_answers(stream: BinaryIO, rows: Iterable[Row], model: str) -> int:
    """Write the lines of answered rows, which come in input order, each as often as it has
    requests; returns how many rows were written. `model`: the job's."""
    written = 0
    for _, group in groupby(rows, key=itemgetter("row")):
        stream.write(_answered(list(group), model).encode() + b"\n")
        written += 1
    return written


def _answered(answers: list[Row], model: str) -> str:
    found = answers[0]
    try:
        asked = wanted.read(lines.read(exact_json.parse_record(found["data"])))
    except BodyError as error:
        raise InvariantError(f"line {found['line']}: was answered, and {error}") from error
    return responses.answered(asked, answers, model)


def failed_record(row: Row) -> str:
    """The line of a row that has failed."""
    return responses.failed(row["id"], row["request"], row["kind"], row["message"] or "")


def rejected_record(reject: Reject, _files: list[str]) -> str:
    """The line for an input line that never became a row."""
    return responses.rejected(_name_of(reject.raw), reject.line, reject.reason)


def _name_of(raw: str) -> str | None:
    """The name of a rejected line, if it can be read: it stands at the beginning of most."""
    found = _NAME.search(raw)
    return None if found is None else str(orjson.loads(found[1]))


def is_ours(record: Mapping[str, Any]) -> bool:
    """True if a record is a line of an output or of an error file that llmbatch has written."""
    return str(record.get("id")).startswith(responses.PREFIX) and CUSTOM_ID in record
