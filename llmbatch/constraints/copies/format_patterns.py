"""The formats of strings as patterns, so that every backend holds them as the check does.

The backends' own formats are wider in places (xgrammar takes 31 February, both take 29 February of
any year) and narrower in others (xgrammar has no upper case in host names, guidance no IPv4 in
IPv6). What no pattern can hold is the length of names, and a leap second in a zone other than UTC.
"""

_DATE = (
    r"(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)
_ZONE = r"(?:[zZ]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_TIME = (
    rf"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?{_ZONE}"
    r"|23:59:60(?:\.[0-9]+)?(?:[zZ]|[+-]00:00))"
)
_DAYS = r"[0-9]+D"
_SECONDS = r"[0-9]+S"
_MINUTES = rf"[0-9]+M(?:{_SECONDS})?"
_CLOCK = rf"T(?:[0-9]+H(?:{_MINUTES})?|{_MINUTES}|{_SECONDS})"
_CALENDAR = rf"(?:[0-9]+Y(?:[0-9]+M(?:{_DAYS})?)?|[0-9]+M(?:{_DAYS})?|{_DAYS})"
_DURATION = rf"P(?:[0-9]+W|{_CALENDAR}(?:{_CLOCK})?|{_CLOCK})"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_HOSTNAME = rf"{_LABEL}(?:\.{_LABEL})*"
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_BYTE}(?:\.{_BYTE}){{3}}"
_ATEXT = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = rf'(?:{_ATEXT}(?:\.{_ATEXT})*|"(?:[ !#-\[\]-~]|\\[ -~])*")'


def _ipv6() -> str:
    """Eight groups; or two runs around `::`, with at least one group left out; the last two groups
    may be an IPv4."""
    group = "[0-9a-fA-F]{1,4}"
    forms = [rf"(?:{group}:){{7}}{group}", rf"(?:{group}:){{6}}{_IPV4}"]
    for before in range(8):
        head = "" if not before else rf"{group}(?::{group}){{{before - 1}}}"
        after = 7 - before
        tails = [rf"(?:{group}(?::{group}){{0,{after - 1}}})?" if after else ""]
        if after >= 2:
            tails.append(rf"(?:{group}:){{0,{after - 2}}}{_IPV4}")
        forms += [rf"{head}::{tail}" for tail in tails]
    return f"(?:{'|'.join(forms)})"


_IPV6 = _ipv6()
_PERCENT = "%[0-9a-fA-F]{2}"
_PCHAR = rf"(?:[a-zA-Z0-9._~!$&'()*+,;=:@-]|{_PERCENT})"
_QUERY = rf"(?:{_PCHAR}|[/?])*"
_TAIL = rf"(?:\?{_QUERY})?(?:#{_QUERY})?"
_HOST = rf"(?:\[[0-9a-fA-Fv:.]+\]|(?:[a-zA-Z0-9._~!$&'()*+,;=-]|{_PERCENT})*)"
_USER = rf"(?:(?:[a-zA-Z0-9._~!$&'()*+,;=:-]|{_PERCENT})*@)?"
_AUTHORITY = rf"//{_USER}{_HOST}(?::[0-9]*)?"
_REST = rf"(?:{_AUTHORITY}(?:/(?:{_PCHAR}|/)*)?|/?(?:{_PCHAR}(?:{_PCHAR}|/)*)?)"
_SCHEME = "[a-zA-Z][a-zA-Z0-9+.-]*:"
_POINTER = "(?:/(?:[^~/]|~[01])*)*"

FORMAT_PATTERNS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": rf"{_DATE}[tT]{_TIME}",
    "duration": _DURATION,
    "email": rf"{_LOCAL}@(?:{_HOSTNAME}|\[(?:{_IPV4}|[iI][pP][vV]6:{_IPV6})\])",
    "hostname": _HOSTNAME,
    "ipv4": _IPV4,
    "ipv6": _IPV6,
    "json-pointer": _POINTER,
    "relative-json-pointer": rf"(?:0|[1-9][0-9]*)(?:#|{_POINTER})",
    "uri": rf"{_SCHEME}{_REST}{_TAIL}",
    "uri-reference": rf"(?:{_SCHEME})?{_REST}{_TAIL}",
    "uuid": "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}
"""Patterns of whole texts, by the names of formats."""
WITHOUT_PATTERN = frozenset({"regex"})
"""Formats that are checked, and that no pattern describes."""
