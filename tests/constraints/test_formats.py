"""The formats of strings, each by its own standard."""

import json

import pytest

from llmbatch.constraints.check import make_check
from llmbatch.constraints.formats import CHECKED
from llmbatch.core.records import Constraint

TEXTS: dict[str, tuple[list[str], list[str]]] = {
    "date": (
        ["2024-02-29", "2000-02-29", "0000-02-29", "9999-12-31"],
        ["2023-02-29", "1900-02-29", "2023-02-31", "2024-13-01", "2024-00-10", "2024-1-1", "",
         "24-01-01", "2024-01-01 ", "٢٠٢٤-01-01", "2024-W01-1", "2024-01-00"],
    ),
    "time": (
        ["12:00:00Z", "12:00:00z", "23:59:60Z", "00:59:60+01:00", "01:29:60+01:30",
         "12:00:00.123456789+23:59", "12:00:00-00:00", "15:59:60-08:00"],
        ["12:00:00", "12:00Z", "24:00:00Z", "12:60:00Z", "12:00:61Z", "22:59:60Z", "12:00:00+24:00",
         "12:00:00+0100", "12:00:00+01:60", "12:00:00.Z", "1:00:00Z", "12:00:00 Z"],
    ),
    "date-time": (
        ["2024-02-29T12:00:00Z", "2024-02-29t12:00:00z", "1998-12-31T23:59:60Z"],
        ["2024-02-29T12:00:00", "2024-02-30T12:00:00Z", "2024-02-29 12:00:00Z", "2024-02-29",
         "2024-02-29T25:00:00Z", "", "2024-02-29T"],
    ),
    "duration": (
        ["P1D", "P1Y2M3D", "PT1H2M3S", "P1DT12H", "P2W", "PT0S", "P1M", "PT1M"],
        ["P", "PT", "1D", "P1", "P1DT", "P1D2H", "P2WT1H", "P1W2D", "PT1D", "P-1D", "P1.5D", "P1S"],
    ),
    "email": (
        ["a@b.org", "a.b+c@x-y.example", '"a b"@c.de', "te~st@e.com", "a@[127.0.0.1]",
         "a@[IPv6:::1]", "a@localhost"],
        ["@", "a", "a@", "@b", "a b@c.de", ".a@b.c", "a.@b.c", "a..b@c.de", "a@b..c", "a@-b.c",
         "a@[300.0.0.1]", "a@b c", "é@b.de", "a@b@c"],
    ),
    "hostname": (
        ["example.org", "a", "xn--4gbwdl.xn--wgbh1c", "a-b.c1", "1.2"],
        ["", "-a.b", "a-.b", "a..b", "a_b", "a" * 64, "a.", "é.de", ".".join(["a" * 60] * 5)],
    ),
    "ipv4": (["127.0.0.1", "255.255.255.255"], ["256.1.1.1", "1.2.3", "01.2.3.4", "1.2.3.4/8", ""]),
    "ipv6": (
        ["::", "::1", "2001:db8::1", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8"],
        ["1:2", "::1::", "12345::", "fe80::1%eth0", "::1/64", "1.2.3.4", ":::"],
    ),
    "uri": (
        ["https://x.org", "https://u:p@x.org:80/a?b=c#d", "mailto:a@b.c", "urn:isbn:1", "http://[::1]/",
         "file:///a/b", "tel:+1-816", "http://x.org/%20"],
        ["x.org", "/a", "//x.org", "http://x.org/a b", "http:// x", "http://x.org/%2", "1a:b", "",
         "http://x.org/<>", "http://x.org:a/", "http://é.de", "http://[::1"],
    ),
    "uri-reference": (
        ["/a", "//x.org", "#a", "", "a/b?c", "http://x.org"],
        ["a b", "\\a", "#a#b", "%", "//x.org:a"],
    ),
    "uuid": (
        ["2eb8aa08-aa98-11ea-b4aa-73b441d16380", "2EB8AA08-AA98-11EA-B4AA-73B441D16380"],
        ["2eb8aa08aa9811eab4aa73b441d16380", "{2eb8aa08-aa98-11ea-b4aa-73b441d16380}", "2eb8aa08",
         "", "2eb8aa08-aa98-11ea-b4aa-73b441d1638g",
         "urn:uuid:2eb8aa08-aa98-11ea-b4aa-73b441d16380"],
    ),
    "regex": (["a+", "^[a-z]$", ""], ["(", "[a", "a{2,1}", "*"]),
    "json-pointer": (["", "/a", "/a~0b/~1", "/ "], ["a", "/~", "/~2", "#/a"]),
    "relative-json-pointer": (["0", "1/a", "0#"], ["", "/a", "01", "-1", "1a"]),
}  # fmt: skip


def reason(name: str, text: str) -> str | None:
    schema = {"type": "string", "format": name}
    return make_check(Constraint("json", json.dumps(schema)))(json.dumps(text))


def test_every_format_that_is_checked_is_in_the_table() -> None:
    assert set(TEXTS) == set(CHECKED)


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_of_a_format_is_accepted_and_another_one_is_not(name: str) -> None:
    good, bad = TEXTS[name]
    assert [text for text in good if reason(name, text) is not None] == []
    assert [text for text in bad if reason(name, text) is None] == []


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("date-time", "2024-02-29T12:00:00", "it has no zone (Z or +01:00); for a local time use"),
        ("time", "12:00:00", "it has no zone"),
        ("date", "2023-02-31", "'2023-02-31' is no date: there is no such day"),
        ("date", "2023-14-01", "there is no such month"),
        ("date", "yesterday", "as 2024-12-31"),
        ("email", "@", "breaks the schema at $: '@' is no email"),
    ],
)
def test_the_reason_says_what_is_wrong(name: str, text: str, why: str) -> None:
    assert why in str(reason(name, text))


def test_a_format_is_one_of_strings_only_and_others_only_describe() -> None:
    check = make_check(Constraint("json", '{"format": "date"}'))
    assert check("1") is None
    assert reason("color", "no color") is None
