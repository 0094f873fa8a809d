#!/usr/bin/env bash
# xgrammar: of a number in a schema's `const` or `enum` the grammar allows other digits than the schema
# has: 0.7 can only be answered as 0.69999999999999996, and an integer from 2**63 on only as a rounded
# one, which the schema forbids.
#
# One expects the grammar of a constant to take that constant as it is written, which is also the
# shortest text of the same float. So answers carry digits that nobody wrote, and do not compare as
# text; answers to large integers all break the schema. The text that JSON libraries write is refused.
# An `enum` of strings avoids it.
#
# Seen with xgrammar 0.2.8, Python 3.11 (the constant, whether it is taken as it is, what alone is taken
# of it, whether that is the same number in Python):
#   3                     True   3                      True
#   0.5                   True   0.5                    True
#   0.7                   False  0.69999999999999996    True
#   [19.99]               False  [19.989999999999998]   True
#   1.0                   False  1                      True
#   9007199254740993      True   9007199254740993       True
#   12345678901234567890  False  1.2345678901234567e+19 False
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check xgrammar==0.2.8 torch==2.13.0
"$folder/env/bin/python" - >"$folder/seen" <<'PYTHON'
import json

import numpy
import xgrammar

TOKENS = [bytes([byte]) for byte in range(256)] + [b"</s>"]
END = len(TOKENS) - 1
compiler = xgrammar.GrammarCompiler(
    xgrammar.TokenizerInfo(TOKENS, vocab_size=len(TOKENS), stop_token_ids=[END])
)


def matcher_of(constant):
    return xgrammar.GrammarMatcher(compiler.compile_json_schema(json.dumps({"const": constant})))


def only_text(constant):
    """What a model has to write: before each byte, and at the end, one token alone is allowed."""
    matcher, mask, text = matcher_of(constant), xgrammar.allocate_token_bitmask(1, len(TOKENS)), b""
    while True:
        matcher.fill_next_token_bitmask(mask)
        bits = numpy.unpackbits(mask.numpy().view(numpy.uint8), bitorder="little")
        (token,) = numpy.nonzero(bits[: len(TOKENS)])[0]
        assert matcher.accept_token(int(token))
        if token == END:
            return text.decode()
        text += TOKENS[token]


for constant in (3, 0.5, 0.7, [19.99], 1.0, 2**53 + 1, 12345678901234567890):
    text, matcher = json.dumps(constant), matcher_of(constant)
    is_taken = matcher.accept_string(text) and matcher.accept_token(END)
    only = only_text(constant)
    print(f"{text:21} {is_taken!s:6} {only:22} {json.loads(only) == constant}")
PYTHON
cat "$folder/seen"
sed -n '/^# Seen/,/^set/s/^#   //p' "$0" | diff - "$folder/seen"
