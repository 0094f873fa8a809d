"""Patterns as makers of schemas and people write them, each with members and near-misses."""

from typing import NamedTuple


class Made(NamedTuple):
    """A pattern that is searched for, some texts that have it, some that have not."""

    name: str
    pattern: str
    members: tuple[str, ...]
    others: tuple[str, ...]


_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])"
_DAY = (
    r"(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-02-29|\d{4}-"
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|"
    r"(?:02)-(?:0[1-9]|1\d|2[0-8]))"
)
_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"

ZOD_4 = [
    Made("starts with", "^ORD-.*", ("ORD-", "ORD-1\n2"), ("ord-", " ORD-")),
    Made("ends with", ".*-EU$", ("-EU", "a-EU", "a\nb-EU"), ("-EU ", "-EU\n")),
    Made("includes", r"a\.b", ("a.b", '"a.b"\n'), ("ab", "axb", "")),
    Made("lower case", "^[^A-Z]*$", ("", 'é\n"\\', "É"), ("aB",)),
    Made("upper case", "^[^a-z]*$", ("", "A1"), ("Ab",)),
    Made("any text", r"^[\s\S]{0,}$", ("", "\n\u2028"), ()),
    Made("text of a length", r"^[\s\S]{2,5}$", ("ab", 'a\n"b\\'), ("a", "abcdef")),
    Made("date", f"^(?:{_DAY})$", ("2024-02-29", "2023-12-31"), ("2023-02-29", "2023-1-1")),
    Made("time", r"^(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?$", ("23:59",), ("24:00",)),
    Made(
        "date and time",
        f"^(?:{_DAY})T" + r"(?:(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:Z))$",
        ("2024-02-29T00:00:00.123Z", "2020-01-01T06:15Z"),
        ("2024-02-29T00:00:00", "2024-02-30T00:00:00Z"),
    ),
    Made(
        "duration",
        r"^P(?:(\d+W)|(?!.*W)(?=\d|T\d)(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?"
        r"(\d+([.,]\d+)?S)?)?)$",
        ("P1W", "P1Y2M3DT4H5M6.7S", "PT0S", "P3D"),
        ("P", "PT", "P1Y2W", "P1DT", "1D"),
    ),
    Made(
        "email",
        r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+"
        "[A-Za-z]{2,}$",
        ("a.b+c@x-y.co.uk", "o'neil@x.org"),
        (".a@x.org", "a..b@x.org", "a.@x.org", "a@x", "a@-x.org"),
    ),
    Made(
        "email of HTML",
        "^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@" + _LABEL + r"(?:\." + _LABEL + ")*$",
        ("a!#$&'*+/=?^_`{|}~-@b",),
        ('a"b@c', "a@-b", "a@b-"),
    ),
    Made(
        "email of any script", r'^[^\s@"]{1,64}@[^\s@]{1,255}$', ("é\\@日",), ('"@a', "a@b\u3000")
    ),
    Made(
        "uuid",
        r"^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-"
        "[0-9a-fA-F]{12}|0{8}-(?:0{4}-){3}0{12}|(?i:f{8}-(?:f{4}-){3}f{12}))$",
        ("123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000000"),
        ("123e4567-e89b-92d3-a456-426614174000", "123e4567e89b12d3a456426614174000"),
    ),
    Made("ipv4", rf"^(?:{_OCTET}\.){{3}}{_OCTET}$", ("0.10.199.255",), ("1.2.3.256", "01.2.3.4")),
    Made(
        "ipv4 range",
        rf"^({_OCTET}\.){{3}}{_OCTET}\/([0-9]|[1-2][0-9]|3[0-2])$",
        ("10.0.0.0/8",),
        ("10.0.0.0/33", "10.0.0.0"),
    ),
    Made(
        "base64",
        "^$|^(?:[0-9a-zA-Z+/]{4})*(?:(?:[0-9a-zA-Z+/]{2}==)|(?:[0-9a-zA-Z+/]{3}=))?$",
        ("", "YQ==", "YWJj"),
        ("Y", "YQ=", "YQ==\n"),
    ),
    Made("base64url", "^[A-Za-z0-9_-]*$", ("", "a-_"), ("a=", "a+")),
    Made(
        "e164", r"^\+[1-9]\d{6,14}$", ("+4915112345678",), ("+0151123456", "+123456", "+١٢٣٤٥٦٧٨")
    ),
    Made("cuid", "^[cC][0-9a-z]{6,}$", ("cabc123",), ("cabc12", "xabc1234")),
    Made("cuid2", "^[0-9a-z]+$", ("a0",), ("", "A")),
    Made(
        "ulid",
        "^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$",
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV",),
        ("81ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAI"),
    ),
    Made("nanoid", "^[a-zA-Z0-9_-]{21}$", ("V1StGXR8_Z5jdHi6B-myT",), ("V1StGXR8_Z5jdHi6B-my",)),
    Made("number", r"^-?\d+(?:\.\d+)?$", ("-1.50",), ("1.", ".5", "\u0661")),
    Made("boolean", "(?i:^(?:true|false)$)", ("TRUE", "faLse"), ("true ", "tru\u017f")),
    Made(
        "iban",
        r"^[A-Z]{2}(?!00|01|99)\d{2}[A-Z0-9]{11,30}$",
        ("DE02120300000000202051",),
        ("DE01120300000000202051", "DE9912030000000020"),
    ),
]
ZOD_3 = [
    Made(
        "uuid of zod 3",
        r"(?i:^[0-9a-fA-F]{8}\b-[0-9a-fA-F]{4}\b-[0-9a-fA-F]{4}\b-[0-9a-fA-F]{4}\b-[0-9a-fA-F]{12}$)",
        ("123E4567-e89b-12d3-a456-426614174000",),
        ("123e4567-e89b-12d3-a456-42661417400",),
    ),
    Made("jwt", r"^[A-Za-z0-9-_]+\.[A-Za-z0-9-_]+\.[A-Za-z0-9-_]*$", ("a.b.", "a-_.b.c"), ("a.b",)),
    Made("cuid of zod 3", r"(?i:^c[^\s-]{8,}$)", ('C"\\345678',), ("c123 5678", "c1234567")),
    Made(
        "signed duration",
        r"^[-+]?P(?!$)(?:(?:[-+]?\d+Y)|(?:[-+]?\d+[.,]\d+Y$))?(?:(?:[-+]?\d+M)|(?:[-+]?\d+[.,]\d+M$))?"
        r"(?:(?:[-+]?\d+D)|(?:[-+]?\d+[.,]\d+D$))?(?:T(?=[\d+-])(?:(?:[-+]?\d+H)|(?:[-+]?\d+[.,]\d+H$))?"
        r"(?:[-+]?\d+(?:[.,]\d+)?S)?)??$",
        ("P1Y", "-P1.5Y", "PT-3H", "P1DT2,5S"),
        ("P", "P1.5Y1M", "P1DT"),
    ),
]
PYDANTIC = [
    Made(
        "decimal", r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$", ("1.", ".5", "-00.10"), ("", ".", "+", "1e5")
    ),
    Made(
        "decimal of six digits",
        r"^(?!^[-+.]*$)[+-]?0*(?:\d{0,4}|(?=[\d.]{1,7}0*$)\d{0,4}\.\d{0,2}0*$)$",
        ("1234", "1234.50000", "0001.5"),
        ("12345", "1.234", "."),
    ),
    Made("constrained text", r"^[A-Z]{3}-\d{2,}$", ("ABC-12",), ("ABC-1", "ABC-12\n")),
    Made("anchored for Rust", r"\A\p{Lu}\p{Ll}+\z", ("Éa", "Ab"), ("éa", "Ab ")),
    Made("not bounded", "^[a-z]+", ("abc", 'a"\n'), ("", "A")),
    Made("verbose", "(?x) ^ [0-9]{3} - # the area\n [0-9]{4} $", ("555-0123",), ("555 - 0123",)),
    Made("named groups", r"^(?P<year>\d{4})-(?P<month>\d{2})$", ("2024-01",), ("2024-1",)),
]
OPENAPI = [
    Made("identifier", r"^[a-zA-Z_$][\w$]*$", ("$a_1",), ("1a", "é")),
    Made(
        "semantic version",
        r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
        r"(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$",
        ("1.0.0-rc.1+b.5", "0.0.0"),
        ("01.0.0", "1.0", "1.0.0-"),
    ),
    Made("label of Kubernetes", "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", ("a-b", "0"), ("-a", "a-", "")),
    Made("digest", "^sha256:[a-f0-9]{64}$", ("sha256:" + "0f" * 32,), ("sha256:" + "0F" * 32,)),
    Made(
        "arn",
        r"^arn:aws[\w-]*:[a-z0-9-]+:[a-z0-9-]*:\d{12}:.+$",
        ("arn:aws:sns:eu-west-1:123456789012:x",),
        ("arn:aws:sns:eu-west-1:12345:x",),
    ),
    Made("no slash at the ends", "^(?!/)[^ ]*(?<!/)$", ("a/b", ""), ("/a", "a/", "/")),
    Made("locale", r"^[a-z]{2}(?:[-_][A-Z]{2})?$", ("de", "pt_BR"), ("DE", "pt_br")),
    Made("media type", r"^[\w.+-]+\/[\w.+*-]+$", ("image/svg+xml",), ("image", "image/")),
    Made("link", "^https?://", ("http://", "https://a b\n"), ("ftp://a", " http://")),
    Made("extension", "^x-", ("x-", "x-\n"), ("X-", "ax-")),
]
WEB = [
    Made(
        "password",
        r"^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*[@$!%*?&])[A-Za-z\d@$!%*?&]{8,}$",
        ("Passw0rd!", "aA1@aA1@"),
        ("passw0rd!", "Passw0r!é", "aA1@"),
    ),
    Made(
        "letters and digits",
        r"^(?=.*[A-Za-z])(?=.*\d)[A-Za-z\d]{4,8}$",
        ("a123", "abc4"),
        ("abcd", "1234"),
    ),
    Made(
        "social security",
        r"^(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}$",
        ("123-45-6789",),
        ("000-45-6789", "123-00-6789", "123-45-0000", "912-45-6789"),
    ),
    Made("amount", r"^\$?\d{1,3}(?:,\d{3})*(?:\.\d{2})?$", ("$1,234.56", "5"), ("1234", "$1,23")),
    Made("hex color", "^#?([a-f0-9]{6}|[a-f0-9]{3})$", ("#fff", "00ff00"), ("#ffff",)),
    Made("slug", r"^[a-z0-9]+(?:-[a-z0-9]+)*$", ("a-b-1",), ("a--b", "-a")),
    Made(
        "user name",
        r"^(?=.{4,12}$)(?![_.])(?!.*[_.]{2})[a-z0-9._]+(?<![_.])$",
        ("ab.c", "a_b.c_d"),
        ("_abc", "a..b", "abc.", "abc"),
    ),
    Made("word", r"\bcat\b", ("cat", "a cat.", "\ncat\n", "écat"), ("cats", "concat", "cat_")),
    Made("first or second", "^a|b$", ("ax\n", "xb", "\nb"), ("xa", "bx")),
    Made("both whole", "(^a$)|(^b$)", ("a", "b"), ("ab", "a\n")),
    Made("between spaces", r"(^|\s)id($|\s)", ("id", "an id\nhere", "id\u3000"), ("ids", "xid")),
    Made("a line", "(?m)^ok$", ("ok", "no\nok\nno", "ok\r"), ("ok no", "nook")),
    Made("any case", "(?i)^(?:straße|ÉTÉ)$", ("STRAßE", "été"), ("STRASSE", "\u017ftraße")),
    Made("quoted", r'^"(?:[^"\\]|\\.)*"$', ('"a\\"b"', '""'), ('"a"b"', '"\\"')),
    Made("no html", "^[^<>]*$", ("", 'a "b"\n'), ("<b>",)),
    Made(
        "time of day",
        r"^([01]?[0-9]|2[0-3]):[0-5][0-9](\s?[ap]\.?m\.?)?$",
        ("9:30 a.m.",),
        ("9:60",),
    ),
    Made(
        "comma list",
        r"^\s*\w+(?:\s*,\s*\w+)*\s*$",
        ("a , b\n", "\ufeffx"),
        ("a,,b", "a;b", "\x1cx"),
    ),
    Made("dot stops at lines", "^.+$", ('"\\x\t\u0085',), ("a\nb", "a\u2028", "")),
    Made("dot takes lines", "(?s)^.+$", ("a\nb\r\u2029",), ("",)),
    Made(
        "emoji by halves", r"^[\uD83C-\uD83E][\uDC00-\uDFFF]$", ("\U0001f600",), ("é", "\U00010000")
    ),
    Made(
        "emoji of zod",
        r"^(?=[\s\S]*[\p{Extended_Pictographic}\p{Regional_Indicator}\u20E3])"
        r"[\p{Extended_Pictographic}\p{Emoji_Component}]+$",
        ("\U0001f600", "1\ufe0f\u20e3", "\U0001f1e9\U0001f1ea"),
        ("1", "", "a\U0001f600"),
    ),
    Made("scripts", r"^[\p{Script=Greek}\p{sc=Han}\p{Cyrillic}]+$", ("αжДе日",), ("a", "ア")),
    Made("backspace", r"^[\b]\x08$", ("\b\b",), ("b",)),
    Made("emoji by code", r"^[\u{1F600}-\u{1F64F}]+$", ("\U0001f600\U0001f601",), ("x",)),
    Made(
        "needless escapes",
        r"^\#\@\!\'\"\,\:\;\=\%\&\~\`\<\>\ \-\/$",
        ("#@!'\",:;=%&~`<> -/",),
        ("#",),
    ),
    Made("signs in a set", r"^[\]\[\\^$.|?*+(){}&~#@!<>-]+$", ("]^-\\&&~~--",), ("a", "_")),
    Made("controls", r"^\x09\u000a\cM\v\f\t\n\r$", ("\t\n\r\v\f\t\n\r",), ("\t\n\r",)),
    Made("not a digit", r"^\D+$", ("a\n", "\u0661"), ("1",)),
    Made("not a word", r"^\W{3}$", ("é -", "日本!"), ("a--",)),
    Made("not a space", r"^\S+$", ('"\\\x85',), ("a\u00a0b", "a b", "\ufeff")),
    Made("possessive", r"^[a-z]++-\d?+$", ("ab-", "ab-1"), ("-", "ab-12")),
    Made("no double letters", r"^(?:(?!aa|bb)[ab])+$", ("abab", "a"), ("abba", "aa")),
]
MADE = [*ZOD_4, *ZOD_3, *PYDANTIC, *OPENAPI, *WEB]
