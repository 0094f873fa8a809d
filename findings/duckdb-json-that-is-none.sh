#!/usr/bin/env bash
# DuckDB takes for JSON what is none: `json_valid` is true for a trailing comma and for NaN and
# infinity in any case and with a sign, and a cast to JSON writes them into the text as they are.
#
# One expects `json_valid` to say what other parsers of JSON will take. Comments, `+5`, `.5` and
# single quotes it refuses, so it is not lenient throughout. A reader that tells JSON from plain text
# by it takes the texts "nan" and "[1,]" for JSON, which other readers cannot parse.
#
# Seen with DuckDB 2.0.1, Python 3.11 (json_valid, the cast's text, Python's json):
#   [1,]         True   [1,]         refused
#   {"a":1,}     True   {"a":1,}     refused
#   nan          True   nan          refused
#   -inf         True   -inf         refused
#   Infinity     True   Infinity     inf
#   +5           False  refused      refused
#   .5           False  refused      refused
#   [1] // one   False  refused      refused
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check duckdb==2.0.1
"$folder/env/bin/python" - >"$folder/seen" <<'PYTHON'
import json

import duckdb

database = duckdb.connect()


def attempt(what):
    try:
        return what()
    except (duckdb.Error, ValueError):
        return "refused"


for text in ("[1,]", '{"a":1,}', "nan", "-inf", "Infinity", "+5", ".5", "[1] // one"):
    (valid,) = database.execute("SELECT json_valid($1)", [text]).fetchone()
    cast = attempt(lambda: database.execute("SELECT $1::JSON::VARCHAR", [text]).fetchone()[0])
    parsed = attempt(lambda: json.loads(text))
    print(f"{text:12} {valid!s:6} {cast!s:12} {parsed}")
PYTHON
cat "$folder/seen"
sed -n '/^# Seen/,/^set/s/^#   //p' "$0" | diff - "$folder/seen"
