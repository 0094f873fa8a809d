#!/usr/bin/env bash
# httptools: `should_keep_alive()` is right only while a callback runs. After `feed_data` has returned,
# it says False of a response with a body that keeps its connection, and True of one without a body.
#
# One expects a question to the parser to be answerable when the message is complete, which is when a
# client decides whether to use the connection again: one that asks then closes each connection, or,
# where it was tried with a 204 only, does not. It has to be asked in `on_message_complete`, and its
# answer kept. Of requests it is right at any time.
#
# Seen with httptools 0.9.0, Python 3.11 (in on_headers_complete, in on_message_complete, after feed_data):
#   response, length 2           True   True   False
#   response, chunked            True   True   False
#   response, 204                True   True   True
#   response, connection: close  False  False  False
#   request, length 2            True   True   True
#   request, GET                 True   True   True
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check httptools==0.9.0
"$folder/env/bin/python" - >"$folder/seen" <<'PYTHON'
import httptools

OK = b"HTTP/1.1 200 OK\r\n"
CASES = {
    "response, length 2": OK + b"Content-Length: 2\r\n\r\nok",
    "response, chunked": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "response, 204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "response, connection: close": OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok",
    "request, length 2": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok",
    "request, GET": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
}


class Callbacks:
    said = ()

    def on_headers_complete(self):
        self.said += (parser.should_keep_alive(),)

    on_message_complete = on_headers_complete


for name, data in CASES.items():
    callbacks = Callbacks()
    kind = httptools.HttpRequestParser if name.startswith("request") else httptools.HttpResponseParser
    parser = kind(callbacks)
    parser.feed_data(data)
    said = (*callbacks.said, parser.should_keep_alive())
    print(f"{name:28} {'  '.join(f'{one!s:5}' for one in said)}".rstrip())
PYTHON
cat "$folder/seen"
sed -n '/^# Seen/,/^set/s/^#   //p' "$0" | diff - "$folder/seen"
