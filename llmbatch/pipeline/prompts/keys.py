"""The only place that hashes request keys.

A key is BLAKE2b-128 (RFC 7693) over the JSON of everything that can change the answer: the task,
model identity, sampling and constraint once per job, then the rendered messages, the body (if there
is one) and the numbers of the sample and of the repetition of each request. What is not in here
must not change an answer.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from pydantic import BaseModel

from llmbatch.constraints import intake
from llmbatch.constraints.copies.plain import is_plain
from llmbatch.constraints.patterns.errors import PatternError
from llmbatch.constraints.patterns.translate import differs_from_python
from llmbatch.core.errors import UsageError
from llmbatch.core.messages import json_text
from llmbatch.core.records import Constraint
from llmbatch.job.fields import is_in_key
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts.pieces import pieces_of
from llmbatch.pipeline.tasks.base import Task

_KEY_BYTES = 16
# Follows the messages that hold control tokens of the model, and are sent as text; no JSON has it.
_AS_TEXT = b"\0text"
# Raised when the meaning of what is hashed changes, so that old answers are not mistaken.
_KEY_VERSION = 1
# Stands in the keys of the requests whose regex Python's `re` would read in another way.
_PATTERNS_VERSION = 1
# Raised when templates are rendered in another way, so that plans are made anew; only the requests
# that read differently have other keys.
_RENDERING_VERSION = 2
# Stands in the keys of the requests whose schema an engine once held in another way than it is
# checked: answers such as `ORD-` to the pattern `^ORD-` were accepted.
_COPIES_VERSION = 1


def answer_fields(section: BaseModel) -> dict[str, Any]:
    """The values of the fields declared ANSWER, defaults applied, sections nested."""
    values: dict[str, Any] = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if is_in_key(field, value):
            values[name] = answer_fields(value) if isinstance(value, BaseModel) else value
    return values


class KeyMaker:
    """Makes the keys of one job's requests."""

    def __init__(self, spec: JobSpec, task: Task, model_identity: Mapping[str, str]) -> None:
        fields = answer_fields(spec)
        base = {
            "version": _KEY_VERSION,
            "task": task.name,
            "model": dict(sorted(model_identity.items())),
            # A table of which no key was given is as one that is not known.
            "fields": {
                name: fields[name] for name in fields if name in task.sections and fields[name]
            },
        }
        if _is_translated(task.form):
            base["patterns"] = _PATTERNS_VERSION
        if meaning := _schema_meaning(spec):
            base["schema"] = meaning
        if _has_copy(task.form):
            base["copies"] = _COPIES_VERSION
        self._base = hashlib.blake2b(json_text(base).encode(), digest_size=_KEY_BYTES)

    def base(self) -> str:
        """A digest of all that the job's requests have in common."""
        return self._base.hexdigest()

    def key(self, messages: str, body: str | None = None, *, as_text: bool = False) -> str:
        """The key (32 hex digits) of a request with these messages (a JSON array) and this body (a
        JSON object, if there is one). `as_text`: the messages hold control tokens of the model,
        which earlier versions did not send as text."""
        digest = self._base.copy()
        # Unpaired surrogates cannot be encoded; a template can make them from escapes.
        digest.update(messages.encode("utf-8", "surrogatepass"))
        if body is not None:
            # An array and an object after it have no other reading.
            digest.update(body.encode("utf-8", "surrogatepass"))
        if as_text:
            digest.update(_AS_TEXT)
        return digest.hexdigest()


def _schema_meaning(spec: JobSpec) -> Mapping[str, Any]:
    """All that the answers to the job's schema depend on beside its text. One that is no good has
    no answers."""
    if spec.answer.json_schema is None:
        return {}
    try:
        return intake.take(spec.answer.json_schema).meaning
    except UsageError:
        return {}


def _is_translated(constraint: Constraint | None) -> bool:
    """True if a regex means another language than it did when Python's `re` read it. One that is
    no good has no answers."""
    if constraint is None or constraint.kind != "regex":
        return False
    try:
        return differs_from_python(constraint.value)
    except PatternError:
        return False


def _has_copy(constraint: Constraint | None) -> bool:
    """True if engines get a schema in other words than the user's, because it was not held as it
    is checked."""
    return (
        constraint is not None
        and constraint.kind == "json"
        and not is_plain(orjson.loads(constraint.value))
    )


def repetition_key(key: str, number: int) -> str:
    """The key of a repetition (from 1) of a request that other rows have, too, and that is computed
    for each of them; the first (0) has the plain key."""
    return hashlib.blake2b(f"{key}:{number}".encode(), digest_size=_KEY_BYTES).hexdigest()


def sample_key(key: str, sample: int) -> str:
    """The key of a sample of a row; the first (0) has the plain key, so that more samples are
    computed beside it. Its repetitions are those of a request with this key."""
    if sample == 0:
        return key
    return hashlib.blake2b(f"{key}/{sample}".encode(), digest_size=_KEY_BYTES).hexdigest()


def plan_digest(
    spec: JobSpec,
    snapshot_digest: str,
    base: str,
    order: Sequence[str] | None = None,
    control_tokens: Sequence[str] | None = None,
    other_limits: Mapping[int, int] | None = None,
    dividing: Sequence[Any] = (),
) -> str:
    """A digest of all that shapes a plan: the rows, the templates and how they are rendered, the
    keys' base, which rows are asked, the order of a record's fields, what becomes of duplicates,
    of the samples of a row, of rows that hold one of the model's `control_tokens` (None: they are
    not known), the limits and runs (`other_limits`) among whose answers some were looked for, and
    the task's own `dividing` of rows."""
    parts: list[Any] = [_KEY_VERSION, snapshot_digest, spec.prompt, spec.system, base]
    parts.append({"rendering": _RENDERING_VERSION})
    parts += _of_job(spec, order)
    if control_tokens is not None:
        parts.append({"control_tokens": [spec.control_tokens, *control_tokens]})
    if other_limits:
        parts.append({"other_limits": [list(pair) for pair in other_limits.items()]})
    if dividing:
        parts.append({"dividing": list(dividing)})
    return hashlib.blake2b(json_text(parts).encode(), digest_size=_KEY_BYTES).hexdigest()


def _of_job(spec: JobSpec, order: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """The parts of a plan's digest that the job itself says, where they are not by default."""
    if spec.task == "classify":
        yield {"pieces": [list(piece) for piece in pieces_of(spec)]}
    if spec.task == "score":
        yield {"pair": [spec.score.query, spec.score.document]}
    if spec.require or spec.ask_empty:
        yield {"require": list(spec.require), "ask_empty": spec.ask_empty}
    if order:
        yield {"order": list(order)}
    if spec.template.system_as_user:
        yield {"system_as_user": True}
    turns = [spec.examples, spec.example_answer, spec.messages, spec.prefill, spec.raw]
    if any(turns):
        yield {"turns": [*turns, spec.response_column]}
    if spec.duplicates != "auto":
        yield {"duplicates": spec.duplicates}
    if spec.sampling.samples > 1:
        yield {"samples": spec.sampling.samples, "vote": spec.sampling.vote}
