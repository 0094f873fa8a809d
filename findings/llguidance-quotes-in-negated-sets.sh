#!/usr/bin/env bash
# llguidance takes a negated set in a JSON Schema's `pattern` for one that has the quote and the
# backslash, too: `^[^"]$` allows the string `"\""`, and `^[^"\\]$` the string `"\\"`.
#
# One expects a set to keep what it leaves out, also where JSON writes that as an escape. It does if
# the set lacks some control character besides the line feed: `^[^"\u0001]$` refuses the quote. So a
# set with all control characters is the case, which is what a negated set mostly is. The same
# pattern outside of JSON is right. To leave NUL out of each set avoids it.
#
# Seen with llguidance 1.7.6, Python 3.11 (does the grammar take the string?):
#   ^[^"]$            "\""     True
#   ^[^"\\]$          "\""     True
#   ^[^"\\]$          "\\"     True
#   ^[^"\x00]$        "\""     False
#   ^[^"\\\x00]$      "\\"     False
#   ^[^"\x00]$        "a"      True
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check llguidance==1.7.6
"$folder/env/bin/python" - >"$folder/seen" <<'PYTHON'
import json

import llguidance


class Bytes:
    eos_token_id, bos_token_id, special_token_ids = 256, None, [256]
    tokens = [bytes([code]) for code in range(256)] + [b"</s>"]

    def __call__(self, text):
        return list(text.encode() if isinstance(text, str) else text)


tokenizer = llguidance.LLTokenizer(llguidance.TokenizerWrapper(Bytes()))
for pattern, text in (
    (r'^[^"]$', '"'),
    (r'^[^"\\]$', '"'),
    (r'^[^"\\]$', "\\"),
    (r'^[^"\x00]$', '"'),
    (r'^[^"\\\x00]$', "\\"),
    (r'^[^"\x00]$', "a"),
):
    schema = json.dumps({"type": "string", "pattern": pattern})
    matcher = llguidance.LLMatcher(tokenizer, llguidance.LLMatcher.grammar_from_json_schema(schema))
    string = json.dumps(text)
    tokens = list(string.encode())
    taken = matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()
    print(f"{pattern:17} {string:8} {taken}")
PYTHON
cat "$folder/seen"
sed -n '/^# Seen/,/^set/s/^#   //p' "$0" | diff - "$folder/seen"
