#!/usr/bin/env bash
# DuckDB's lock on a database file is gone once the process that holds it has opened and closed that
# file in any other way: to copy it, to hash it, to look at its head. Another process may then write,
# is told of its success, and loses its rows when the first one writes.
#
# One expects a database that one process has open for writing to be refused to all others until it is
# closed, as it is otherwise. DuckDB takes a lock of the kind that the kernel drops with the first
# descriptor of the process that is closed, whichever opened it (SQLite, with the same kind, documents
# it as a trap). A backup with `shutil.copy` inside of the program that owns the file is enough.
# DuckDB's own functions (`read_blob`) are safe, since it knows the file. To copy in another process
# avoids it.
#
# Seen with DuckDB 2.0.1, Python 3.11 (what the owner did, what became of another process's INSERT of 2,
# the rows after the owner's own INSERT of 3):
#   nothing      refused    1 3
#   read_blob    refused    1 3
#   stat         refused    1 3
#   open, close  committed  1 3
#   copy         committed  1 3
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check duckdb==2.0.1
cat >"$folder/other.py" <<'PYTHON'
import sys

import duckdb

try:
    with duckdb.connect(sys.argv[1]) as database:
        database.execute("INSERT INTO t VALUES (2)")
        print("committed")
except duckdb.IOException as error:
    assert "Could not set lock" in str(error)
    print("refused")
PYTHON
"$folder/env/bin/python" - "$folder" >"$folder/seen" <<'PYTHON'
import os
import shutil
import subprocess
import sys

import duckdb

folder = sys.argv[1]
path = f"{folder}/t.duckdb"
cases = {
    "nothing": lambda owner: None,
    "read_blob": lambda owner: owner.execute("SELECT size FROM read_blob($1)", [path]).fetchall(),
    "stat": lambda owner: os.stat(path),
    "open, close": lambda owner: open(path, "rb").close(),
    "copy": lambda owner: shutil.copy(path, f"{folder}/copy"),
}
for name, what in cases.items():
    with duckdb.connect(path) as owner:
        owner.execute("CREATE OR REPLACE TABLE t AS SELECT 1 AS a")
        owner.execute("CHECKPOINT")
        what(owner)
        other = subprocess.run(
            [sys.executable, f"{folder}/other.py", path], stdout=subprocess.PIPE, text=True, check=True
        )
        owner.execute("INSERT INTO t VALUES (3)")
    with duckdb.connect(path) as database:
        rows = database.execute("SELECT a FROM t ORDER BY a").fetchall()
    print(f"{name:12} {other.stdout.strip():10} {' '.join(str(row) for (row,) in rows)}")
PYTHON
cat "$folder/seen"
sed -n '/^# Seen/,/^set/s/^#   //p' "$0" | diff - "$folder/seen"
