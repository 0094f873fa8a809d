#!/usr/bin/env bash
# DuckDB's readers of CSV and JSON guess a column's type from its beginning, and round what comes later
# to it: after 20,480 whole numbers 1.5 is read as 2, 0.4 as 0, `true` as 1, without a word. A text
# that is no number is an error there.
#
# One expects a value that does not fit the guessed type either to widen it or to be an error, as
# DuckDB's own advice for the text says ("Try increasing 'sample_size'"). Nor do the two readers round
# alike: 2.5 becomes 3 in CSV and 2 in JSON. A table whose first fraction comes late loses all its fractions.
# `sample_size=-1` avoids it.
#
# Seen with DuckDB 2.0.1, Python 3.11 (the last value after 30,000 rows of 1, as it is read from each):
#   1.5    csv 2        json 2
#   2.5    csv 3        json 2
#   0.4    csv 0        json 0
#   true   csv refused  json 1
#   word   csv refused  json refused
#   2.5    csv 2.5      json 2.5      (sample_size=-1)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check duckdb==2.0.1
"$folder/env/bin/python" - "$folder" >"$folder/seen" <<'PYTHON'
import json
import sys
from pathlib import Path

import duckdb

FIRST = 30_000
folder = Path(sys.argv[1])
database = duckdb.connect()


def last(reader, name, lines, options=""):
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    query = f"SELECT a FROM {reader}('{path}'{options})"
    try:
        (value,) = database.execute(query).fetchall()[-1]
    except duckdb.Error:
        return "refused"
    return value


def row(value, options=""):
    written = value if value == "word" else json.dumps(value)
    csv = last("read_csv", "a.csv", ["a", *["1"] * FIRST, written], options)
    records = [json.dumps({"a": each}) for each in [*[1] * FIRST, value]]
    in_json = last("read_json", "a.jsonl", records, options)
    note = f"({options[2:]})" if options else ""
    print(f"{written:6} csv {csv!s:8} json {in_json!s:8} {note}".rstrip())


for value in (1.5, 2.5, 0.4, True, "word"):
    row(value)
row(2.5, ", sample_size=-1")
PYTHON
cat "$folder/seen"
sed -n '/^# Seen/,/^set/s/^#   //p' "$0" | diff - "$folder/seen"
