#!/usr/bin/env bash
# DuckDB rounds text to compare it with an integer by = <> and IN, and refuses to compare the two by
# < > and BETWEEN: a filter of a text column keeps '3.4' for `score = 3`, without a word.
#
# One expects either an error, as with `<`, or a comparison that no rounding makes true. Columns of
# a CSV that hold one odd value are text, so such a filter is soon written.
#
# Seen with DuckDB 2.0.1, Python 3.11 (condition, the texts of '3.4', '3.6', '12', '03' that it keeps):
#   score = 3                3.4 03
#   score IN (3, 4)          3.4 3.6 03
#   score NOT IN (3, 4)      12
#   score <> 3               3.6 12
#   score = 4                3.6
#   score < 4                refused
#   score BETWEEN 3 AND 4    refused
#   score::DOUBLE = 3        03
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check duckdb==2.0.1
"$folder/env/bin/python" - >"$folder/seen" <<'PYTHON'
import duckdb

database = duckdb.connect()
database.execute("CREATE TABLE t AS SELECT unnest(['3.4', '3.6', '12', '03']) AS score")
for condition in (
    "score = 3",
    "score IN (3, 4)",
    "score NOT IN (3, 4)",
    "score <> 3",
    "score = 4",
    "score < 4",
    "score BETWEEN 3 AND 4",
    "score::DOUBLE = 3",
):
    try:
        kept = [text for (text,) in database.execute(f"SELECT * FROM t WHERE {condition}").fetchall()]
    except duckdb.BinderException:
        kept = ["refused"]
    print(f"{condition:24} {' '.join(kept)}")
PYTHON
cat "$folder/seen"
sed -n '/^# Seen/,/^set/s/^#   //p' "$0" | diff - "$folder/seen"
