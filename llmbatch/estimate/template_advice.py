"""Advice on another order of a template's segments, in which its prompts would share more.

The best order of the segments is that of the columns of a table (`core.fieldorder`). What it
gains is not guessed: both orders are rendered, encoded, sorted and simulated in the cache.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llmbatch.core import messages
from llmbatch.core.records import Message, Role
from llmbatch.estimate import cache_forecast
from llmbatch.estimate.cache_forecast import CacheAssumptions, Encode, Forecast
from llmbatch.pipeline.prompts import field_order, turns
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.prompts.rendering import turns_of
from llmbatch.pipeline.prompts.segments import Segment, segments
from llmbatch.pipeline.prompts.template import Prompt, TemplateError
from llmbatch.store.field_groups import Groups

# A smaller gain is not worth a change of the template, after which all is computed anew.
_WORTH = 0.05


@dataclass(frozen=True, slots=True)
class Advice:
    """A better order: `text` says what to move; hits (0..1) and prompt tokens to compute, as the
    template is and as it should be, estimated for all requests from `looked_at` of them."""

    text: str
    hits_now: float
    hits_then: float
    tokens_now: int
    tokens_then: int
    looked_at: int


def give(
    job: ReadyJob,
    order: Sequence[str],
    stretches: Iterable[list[str]],
    requests: int,
    assumed: CacheAssumptions,
    encode: Encode,
) -> Advice | None:
    """The advice for a job of `requests` requests, judged by rows of it (JSON), if there is any.

    `order` is that of a record's fields.
    """
    parts = segments(job.spec)
    if parts is None or len(parts) < 2:
        return None
    rendered = _rendered(job.prompt.for_rows(order), parts, stretches)
    given = list(range(len(parts)))
    better = _best(parts, rendered)
    if better == given:
        return None
    role: Role = "text" if job.spec.raw else "user"
    examples = turns_of(job.prompt.for_rows(order))
    now = _forecast(_chats(parts, given, rendered, examples, role), assumed, encode)
    then = _forecast(_chats(parts, better, rendered, examples, role), assumed, encode)
    if now is None or then is None or then.hits - now.hits < _WORTH:
        return None
    return Advice(
        _words([part.name for part in parts], better),
        now.hits,
        then.hits,
        _to_compute(now, requests),
        _to_compute(then, requests),
        now.looked_at,
    )


def _to_compute(seen: Forecast, requests: int) -> int:
    return round((seen.prompt_tokens - seen.cached_tokens) * requests / seen.looked_at)


def _rendered(
    prompt: Prompt, parts: Sequence[Segment], stretches: Iterable[list[str]]
) -> list[tuple[str, ...]]:
    """The texts of the segments, row by row; rows that cannot be rendered, or not at once, are
    left out."""
    found = []
    for data in (data for stretch in stretches for data in stretch):
        if len(data) > prompt.small_row:
            continue
        try:
            context = prompt.context(data)
            found.append(tuple(part.render(context) for part in parts))
        except TemplateError:
            continue
    return found


def _best(parts: Sequence[Segment], rendered: Sequence[tuple[str, ...]]) -> list[int]:
    """The order of the segments that lets sorted prompts share most."""
    free = [index for index, part in enumerate(parts) if not part.last]
    columns = [[row[index] for row in rendered] for index in free]
    numbers = [_numbered(column) for column in columns]
    lengths = [[len(text.encode()) for text in column] for column in columns]

    def measure(fields: frozenset[int]) -> Groups:
        indexes = sorted(fields)
        firsts: dict[tuple[int, ...], int] = {}
        for row, key in enumerate(zip(*(numbers[index] for index in indexes), strict=True)):
            firsts.setdefault(key, row)
        of_firsts = {
            index: sum(lengths[index][row] for row in firsts.values()) for index in indexes
        }
        return Groups(len(firsts), of_firsts)

    choice = field_order.choose(len(rendered), [sum(column) for column in lengths], measure)
    fixed = [index for index, part in enumerate(parts) if part.last]
    return [free[index] for index in choice.order] + fixed


def _numbered(column: Sequence[str]) -> list[int]:
    names: dict[str, int] = {}
    return [names.setdefault(text, len(names)) for text in column]


def _chats(
    parts: Sequence[Segment],
    order: Sequence[int],
    rendered: Iterable[tuple[str, ...]],
    examples: Sequence[Message],
    asked_as: Role,
) -> list[str]:
    """The distinct chats in planned order, as the store keeps them, but for the beginnings of
    answers. `asked_as`: the role of the prompt.

    What comes behind a segment of the prompt cannot stay in the system prompt.
    """
    roles, role = [], "system"
    for index in order:
        role = "user" if parts[index].role == "user" else role
        roles.append(role)
    chats = set()
    for row in rendered:
        texts = {"system": "", "user": ""}
        for index, role in zip(order, roles, strict=True):
            texts[role] += row[index]
        made = [Message("system", texts["system"])] if texts["system"] else []
        made.append(Message(asked_as, texts["user"]))
        chats.add(messages.messages_text(turns.with_examples(made, examples)))
    return sorted(chats)


def _forecast(chats: Sequence[str], assumed: CacheAssumptions, encode: Encode) -> Forecast | None:
    stretch = cache_forecast.encode_stretch(encode, cache_forecast.read_chats(chats))
    return cache_forecast.predict([stretch], len(chats), assumed)


def _words(names: Sequence[str], order: Sequence[int]) -> str:
    """The way to this order, in few words."""
    moved = next(index for index in range(len(order)) if order[index] != index)
    middle = list(order[moved:])
    while middle[-1] == moved + len(middle) - 1:
        middle.pop()
    kept = next(start for start in range(len(middle)) if middle[start:] == sorted(middle[start:]))
    if kept > 1 and middle[:-1] == sorted(middle[:-1]):
        return f"put {names[middle[-1]]} behind {names[middle[-2]]}"
    first = " and ".join(names[index] for index in middle[:kept])
    return f"put {first} before {names[middle[kept]]}"
