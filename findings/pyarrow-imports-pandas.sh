#!/usr/bin/env bash
# pyarrow imports all of pandas, where it is installed, at the first plain Python value that it
# converts: `pa.array([1, 2])`, `pa.table({...})`, even `pa.scalar(1)`, and `Array.to_numpy()`.
#
# One expects pandas only where a data frame is given or asked for. It asks pandas whether a list is
# a Series, so a command line that never touches a frame takes half a second longer on the machines
# of people who have pandas. `StringBuilder` and `Array.from_buffers` do without.
#
# Seen with pyarrow 26.0.1, pandas 3.1.1, numpy 2.3.5, Python 3.11 (pandas imported after it):
#   import pyarrow       False
#   StringBuilder        False
#   Array.from_buffers   False
#   Table.from_arrays    False
#   nulls                False
#   to_pylist            False
#   array                True
#   scalar               True
#   to_numpy             True
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    pyarrow==26.0.1 pandas==3.1.1 numpy==2.3.5
cat >"$folder/one.py" <<'PYTHON'
import sys

import pyarrow

integers = pyarrow.Array.from_buffers(pyarrow.int64(), 1, [None, pyarrow.py_buffer(bytes(8))])
calls = {
    "import pyarrow": lambda: None,
    "StringBuilder": lambda: pyarrow.lib.StringBuilder().append_values(["a", None]),
    "Array.from_buffers": lambda: integers,
    "Table.from_arrays": lambda: pyarrow.Table.from_arrays([integers], names=["a"]),
    "nulls": lambda: pyarrow.nulls(2),
    "to_pylist": lambda: integers.to_pylist(),
    "array": lambda: pyarrow.array([1, 2]),
    "scalar": lambda: pyarrow.scalar(1),
    "to_numpy": lambda: integers.to_numpy(),
}
if len(sys.argv) == 1:
    print("\n".join(calls))
else:
    calls[sys.argv[1]]()
    print(f"{sys.argv[1]:20} {'pandas' in sys.modules}")
PYTHON
"$folder/env/bin/python" "$folder/one.py" | while read -r call; do
    "$folder/env/bin/python" "$folder/one.py" "$call"
done >"$folder/seen"
cat "$folder/seen"
sed -n '/^# Seen/,/^set/s/^#   //p' "$0" | diff - "$folder/seen"
