"""A user's query over files and databases, run in a process of its own (see `query_child`)."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pyarrow as pa

from llmbatch.core.errors import UsageError
from llmbatch.store.query_child import FAILED, QueryRequest

_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from llmbatch.store.query_child import serve; sys.exit(serve())"
)
MEMORY = "2GB"
"""The memory of a query; what does not fit goes to the disk."""


@contextmanager
def rows(request: QueryRequest) -> Iterator[pa.RecordBatchReader]:
    """The rows of a query, in an order that is the same each time; its notes are in the schema (see
    `notes`). Raises UsageError for a query that cannot be used, has failed or takes too long."""
    path = json.dumps([str(place) for place in sys.path])
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _CODE, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,  # where no Ctrl-C of a terminal reaches it
    )
    assert process.stdin and process.stdout
    try:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(request.to_json())
            process.stdin.close()
        try:
            with pa.ipc.open_stream(process.stdout) as reader:
                yield reader
        except (pa.ArrowException, OSError) as error:
            raise _failure(process, request) from error
        if process.wait() != 0:
            raise _failure(process, request)
    finally:
        with contextlib.suppress(OSError):
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        shutil.rmtree(request.temporary, ignore_errors=True)


def notes(reader: pa.RecordBatchReader) -> list[str]:
    """The lines that tell a user of the rows what they do not show."""
    kept = (reader.schema.metadata or {}).get(b"notes", b"[]")
    return [str(note) for note in orjson.loads(kept)]


def _failure(process: "subprocess.Popen[bytes]", request: QueryRequest) -> UsageError:
    """The error of a process that has ended, or is about to."""
    assert process.stderr
    said = process.stderr.read().strip().splitlines()
    code = process.wait()
    if code == -signal.SIGALRM:
        return UsageError(
            f"query: took longer than {request.seconds:,} s and was ended; "
            "give it more time with --sql-timeout"
        )
    if code == FAILED and said:
        return UsageError(f"query: {orjson.loads(said[-1])}")
    last = said[-1].decode(errors="replace") if said else f"its process ended with {code}"
    return UsageError(f"query: cannot be read: {last}")
