#!/usr/bin/env bash
# PyArrow closes a Python file that it was lent when its own stream over it is collected: a
# `CompressedInputStream` over `PythonFile(file)` that goes out of use leaves `file` closed.
#
# One expects what gzip, bz2 and lzma of Python do: whoever opened a file closes it, and a wrapper that
# is dropped leaves it open. So a file cannot be read a second time by another wrapper (to look
# at its head, then read all of it), and the error, "I/O operation on closed file", comes from elsewhere.
#
# Seen with PyArrow 26.0.1, Python 3.11 (the file after the wrapper was dropped):
#   gzip     open
#   bz2      open
#   pyarrow  closed
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check pyarrow==26.0.1
"$folder/env/bin/python" - >"$folder/seen" <<'PYTHON'
import bz2
import gc
import gzip
import io

import pyarrow as pa

data = b"text" * 100
cases = {
    "gzip": (gzip.compress(data), lambda file: gzip.GzipFile(fileobj=file)),
    "bz2": (bz2.compress(data), bz2.BZ2File),
    "pyarrow": (
        pa.compress(data, codec="zstd", asbytes=True),
        lambda file: pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd"),
    ),
}
for name, (packed, wrap) in cases.items():
    file = io.BytesIO(packed)
    wrapper = wrap(file)
    assert wrapper.read(4) == b"text"
    del wrapper
    gc.collect()
    print(f"{name:8} {'closed' if file.closed else 'open'}")
PYTHON
cat "$folder/seen"
sed -n '/^# Seen/,/^set/s/^#   //p' "$0" | diff - "$folder/seen"
