"""Characters that a terminal would obey are shown; everything else stays as it is."""

import json
import unicodedata

import pytest

from llmbatch.core import visible

SHOWN = {
    "\x1b[31m": r"\x1b[31m",
    "\x9b31m": r"\x9b31m",
    "\r": r"\x0d",
    "\x07\x08\x00\x7f": r"\x07\x08\x00\x7f",
    "\u202e": r"\u202e",
    "\u2066": r"\u2066",
    "\u2028": r"\u2028",
    "\ufeff": r"\ufeff",
    "\udcff": r"\udcff",
    "\U000e0041": r"\U000e0041",
}


@pytest.mark.parametrize("raw", SHOWN)
def test_what_a_terminal_would_obey_is_shown_by_its_number(raw: str) -> None:
    assert visible.text(f"a{raw}b") == f"a{SHOWN[raw]}b"
    assert visible.line(f"a{raw}b") == f"a{SHOWN[raw]}b"


def test_no_control_is_left_but_line_feed_and_tab() -> None:
    for code in range(0x110000):
        mark = chr(code)
        if unicodedata.category(mark) in ("Cc", "Cs", "Zl", "Zp") and mark not in "\n\t":
            assert visible.text(mark).isascii(), hex(code)
        if unicodedata.bidirectional(mark) in (
            *("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"),
        ):
            assert visible.text(mark).isascii(), hex(code)


@pytest.mark.parametrize(
    "plain",
    ["", "a b\tc\nd", "Größe 大 \N{NO-BREAK SPACE}", "👩\u200d🔬", "\u0645\u200c\u062e", "\\x1b"],
)
def test_what_does_no_harm_stays(plain: str) -> None:
    assert visible.text(plain) == plain
    assert json.loads(visible.json(json.dumps(plain, ensure_ascii=False))) == plain


def test_a_line_is_one() -> None:
    assert visible.line("a\nerror: b") == r"a\nerror: b"


@pytest.mark.parametrize("raw", SHOWN)
def test_json_means_the_same(raw: str) -> None:
    record = {"a\x7f": [f"x{raw}", "\u0085"]}
    shown = visible.json(json.dumps(record, ensure_ascii=False))
    assert shown == visible.text(shown), "something is left"
    assert json.loads(shown) == record
