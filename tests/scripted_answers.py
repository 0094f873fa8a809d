"""The smallest answers that satisfy a constraint: what the scripted engine says."""

import base64
import hashlib
import json
import math
import re
import struct
from collections.abc import Iterable
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from llmbatch.core.records import Ask, Constraint, Request, Sampling

INVALID = "not a valid answer"


def free_text(request: Request) -> str:
    """A text that depends on the messages and the seed, and on nothing else."""
    content = [(message.role, message.content) for message in request.messages]
    of = [content, request.sampling.seed] + ([request.adapter] if request.adapter else [])
    digest = hashlib.sha256(json.dumps(of).encode()).hexdigest()
    return f"answer {digest[:12]}"


def given(script: Iterable[tuple[Iterable[str], str]], asked: str) -> str:
    """The first answer of which all texts stand in what is asked. Raises KeyError."""
    for texts, answer in script:
        if all(text in asked for text in texts):
            return answer
    raise KeyError("the script has no answer to this")


def logprobs(text: str, sampling: Sampling) -> str | None:
    """The log probabilities of the words of a text, if they are asked for: see `Completed`."""
    if sampling.logprobs is None:
        return None
    likeliest = [[f"other{number}", -1.5 - number] for number in range(sampling.logprobs)]
    return json.dumps([[[word, -0.5], *likeliest] for word in text.split()])


def asked(request: Request, ask: Ask, by: str = "") -> str:
    """The answer to what is no text, by a hash of the messages, and of who answers: see `Ask`."""
    content: list[tuple[str, str]] = [
        (message.role, message.content) for message in request.messages
    ]
    if by:
        content.append(("by", by))

    def number(*of: object) -> float:
        digest = hashlib.sha256(json.dumps([content, *of]).encode()).digest()
        return int.from_bytes(digest[:4], "big") / 2**32

    if ask.kind == "labels":
        return json.dumps([round(-8 * number(label), 6) for label in ask.labels])
    count = {"embed": ask.dimensions or 8, "score": 1, "heads": 3}[ask.kind]
    values = [number(index) for index in range(count)]
    length = math.sqrt(sum(value * value for value in values)) if ask.kind == "embed" else 1
    total = sum(values) if ask.kind == "heads" else 1
    packed = struct.pack(f"<{count}f", *(value / length / total for value in values))
    text = base64.b64encode(packed).decode()
    if ask.kind != "embed" or ask.overflow == "fail":
        return text
    beside = {"parts": 1} if ask.overflow == "split" else {"cut": 0}
    return json.dumps({"vector": text} | beside)


def measured(request: Request, text: str, words: int) -> tuple[str, str]:
    """The answer drawn out to so many words, or cut at the token limit; and its finish reason.

    0 words: as if cut, whatever the limit. An answer with a constraint is not drawn out.
    """
    limit = request.sampling.max_tokens
    if not words:
        return text, "length"
    if request.constraint is None:
        text = " ".join([*text.split(), *map(str, range(words))][: min(words, limit)])
    elif limit < words:
        text = text[: len(text) // 2]
    return text, "stop" if limit >= words else "length"


def looping(sampling: Sampling) -> tuple[str, str]:
    """An answer that repeats a word, and its finish reason."""
    limit, repetition = sampling.max_tokens, sampling.repetition
    if 0 < repetition <= limit:
        return " ".join(["again"] * repetition), "repetition"
    return " ".join(["again"] * limit), "length"


def constrained(constraint: Constraint, drawn: int = 0) -> str:
    """The choice of this number (beyond the last from the first again), or the smallest instance.
    Raises ValueError on a bad constraint."""
    if constraint.kind == "choice":
        choices = json.loads(constraint.value)
        return str(choices[drawn % len(choices)])
    if constraint.kind == "json":
        schema = json.loads(constraint.value)
        return json.dumps(instance(schema, schema), ensure_ascii=False)
    try:
        return match(constraint.value)
    except re.error as error:
        raise ValueError(f"bad regex: {error}") from error


def instance(schema: Any, root: Any) -> Any:
    """A small value that satisfies the common part of JSON Schema."""
    if "$ref" in schema:
        return instance(_resolve(schema["$ref"], root), root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for branches in ("anyOf", "oneOf", "allOf"):
        if branches in schema:
            return instance(schema[branches][0], root)
    kind = schema.get("type", "object" if "properties" in schema else "null")
    return _of_type(kind[0] if isinstance(kind, list) else kind, schema, root)


def _resolve(pointer: str, root: Any) -> Any:
    if not pointer.startswith("#"):
        raise ValueError(f"cannot follow $ref {pointer}")
    for part in pointer.split("/")[1:]:
        if part not in root:
            raise ValueError(f"dangling $ref {pointer}")
        root = root[part]
    return root


def _of_type(kind: str, schema: Any, root: Any) -> Any:
    if kind == "object":
        return {name: instance(sub, root) for name, sub in schema.get("properties", {}).items()}
    if kind == "array":
        items = schema.get("items", {"type": "null"})
        return [instance(items, root) for _ in range(schema.get("minItems", 0))]
    if kind == "string":
        return match(schema["pattern"]) if "pattern" in schema else "x" * schema.get("minLength", 1)
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    if kind in ("boolean", "null"):
        return False if kind == "boolean" else None
    raise ValueError(f"unknown type {kind!r}")


def match(pattern: str) -> str:
    """A short string that matches the whole pattern (no look-around, no back-references)."""
    text = "".join(_piece(code, value) for code, value in parser.parse(pattern))
    if re.fullmatch(pattern, text) is None:
        raise ValueError(f"the scripted engine cannot match {pattern!r}")
    return text


def _piece(code: Any, value: Any) -> str:
    if code is codes.LITERAL:
        return chr(value)
    if code is codes.IN:
        return _member(value)
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
        least, _, items = value
        return "".join(_piece(*item) for item in items) * int(least)
    if code is codes.SUBPATTERN:
        return "".join(_piece(*item) for item in value[-1])
    if code is codes.BRANCH:
        return "".join(_piece(*item) for item in value[1][0])
    return "a" if code is codes.ANY else ""


def _member(items: Any) -> str:
    """One character of a set such as `[a-z0-9]`, or of `\\d`."""
    code, value = items[0]
    if code is codes.RANGE:
        return chr(value[0])
    if code is codes.LITERAL:
        return chr(value)
    names = {codes.CATEGORY_DIGIT: "0", codes.CATEGORY_SPACE: " "}
    return str(names.get(value, "a"))
