#!/usr/bin/env bash
# DuckDB 1.5 sets an option of its own when a column with a computed default is added within a
# transaction: where the configuration is locked, that statement fails.
#
# `lock_configuration` is there to keep statements from changing options. `ALTER TABLE` is none that
# does, and the same statement passes outside of a transaction, or with a literal as the default;
# FALSE is no literal there, but 'f' is one. So what holds in each test by itself (the lock, the
# transaction, the column) fails where they meet, as in a migration. DuckDB 2.0 has it no more.
#
# Seen with DuckDB 1.5.6 and 2.0.1, Python 3.11 (version, default, without and within a transaction):
#   1.5.6  0       added   added
#   1.5.6  'f'     added   added
#   1.5.6  FALSE   added   refused: current_transaction_invalidation_policy
#   1.5.6  1 + 1   added   refused: current_transaction_invalidation_policy
#   2.0.1  0       added   added
#   2.0.1  'f'     added   added
#   2.0.1  FALSE   added   added
#   2.0.1  1 + 1   added   added
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
cat >"$folder/add.py" <<'PYTHON'
import re

import duckdb


def attempt(kind, default, begin):
    database = duckdb.connect()
    database.execute("CREATE TABLE t (a INTEGER); SET lock_configuration = true")
    if begin:
        database.execute("BEGIN")
    try:
        database.execute(f"ALTER TABLE t ADD COLUMN b {kind} DEFAULT {default}")
    except duckdb.InvalidInputException as error:
        return "refused: " + re.search('option "(.*?)"', str(error)).group(1)
    return "added"


for kind, default in (("INTEGER", "0"), ("BOOLEAN", "'f'"), ("BOOLEAN", "FALSE"), ("INTEGER", "1 + 1")):
    alone, within = (attempt(kind, default, begin) for begin in (False, True))
    print(f"{duckdb.__version__:6} {default:7} {alone:7} {within}")
PYTHON
for version in 1.5.6 2.0.1; do
  "$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check "duckdb==$version"
  "$folder/env/bin/python" "$folder/add.py" >>"$folder/seen"
done
cat "$folder/seen"
sed -n '/^# Seen/,/^set/s/^#   //p' "$0" | diff - "$folder/seen"
