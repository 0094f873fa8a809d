#!/usr/bin/env bash
# jsonschema has two opposite meanings of the format `time`, and which one holds depends on how the
# checker of formats is got.
#
# The bare `FormatChecker()` holds the checks of all drafts, and of `time` those of draft 3, which has no
# zone: it takes 12:00:00 and refuses 12:00:00Z. In every later draft (RFC 3339) it is the other way
# round. A draft's own checker, `Draft202012Validator.FORMAT_CHECKER`, checks neither `time` nor
# `date-time`, `duration` or `uri` until packages that jsonschema does not depend on are installed, and
# says nothing of it. One expects both to be the same checks, or the bare one to be the newest draft's.
#
# Seen with jsonschema 4.26.0, Python 3.11 (text, FormatChecker(), Draft202012Validator.FORMAT_CHECKER):
#   time       12:00:00              valid    valid
#   time       12:00:00Z             refused  valid
#   time       noon                  refused  valid
#   date-time  yesterday             valid    valid
#   duration   soon                  valid    valid
#   date       2023-02-31            refused  refused
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check jsonschema==4.26.0
"$folder/env/bin/python" - >"$folder/seen" <<'PYTHON'
from jsonschema import Draft202012Validator, FormatChecker

CASES = [
    ("time", "12:00:00"),
    ("time", "12:00:00Z"),
    ("time", "noon"),
    ("date-time", "yesterday"),
    ("duration", "soon"),
    ("date", "2023-02-31"),
]
for name, text in CASES:
    said = []
    for checker in (FormatChecker(), Draft202012Validator.FORMAT_CHECKER):
        validator = Draft202012Validator({"format": name}, format_checker=checker)
        said.append("valid" if validator.is_valid(text) else "refused")
    print(f"{name:10} {text:21} {said[0]:8} {said[1]}")
PYTHON
cat "$folder/seen"
sed -n '/^# Seen/,/^set/s/^#   //p' "$0" | diff - "$folder/seen"
