"""The time that rules take for a row, in groups as a run judges them: `make bench-checks`.

Ten rules over five columns, answers of a schema with exact numbers, rows of 300 characters. The
time is that of the processor: of all that the judge does, from the JSON of a group to its
judgement, and of writing that JSON. Groups are timed in turns, the median counts.
"""

import statistics
import time
from decimal import Decimal
from typing import Any

import click
import orjson

from llmbatch.constraints import answer_types
from llmbatch.quality.rules import judge, view
from llmbatch.quality.rules.judge import RuleJudge
from llmbatch.quality.rules.view import CheckedAnswer, RowView
from llmbatch.store import rule_query

SCHEMA = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string"},
        "net": {"type": "number"},
        "tax": {"type": "number"},
        "total": {"type": "number"},
        "items": {"type": "array", "items": {"type": "string"}},
    },
}
RULES = (
    "response.total = response.net + response.tax",
    "contains(text, response.order_id)",
    "response.net > 0",
    "response.tax >= 0",
    "length(response.order_id) BETWEEN 3 AND 12",
    "len(response.items) > 0",
    "regexp_matches(response.order_id, '^[A-Z]')",
    "finish_reason = 'stop'",
    "output_tokens < 100",
    "response.total < 1000000",
)


def made(rules: tuple[str, ...]) -> tuple[RuleJudge, RowView]:
    """The judge of these rules, and the columns that they see."""
    named = [(f"rule {place}", rule) for place, rule in enumerate(rules)]
    parsed = list(zip([name for name, _ in named], rule_query.read(named), strict=True))
    seen = view.make(
        parsed, ["id", "text"], lambda names: {}, answer_types.type_of(SCHEMA), {}, is_json=True
    )
    rule_query.bind(named, seen.schema())
    return RuleJudge(seen, rules), seen


def answers(rows: int) -> list[CheckedAnswer]:
    """Rows and right answers."""
    return [_answer(number) for number in range(rows)]


def _answer(number: int) -> CheckedAnswer:
    net = Decimal(number % 1_000) / 100 + 1
    text = f"I want order A{1_000 + number} back, it is broken. {'Please be quick. ' * 14}"
    said = (
        f'{{"order_id": "A{1_000 + number}", "net": {net}, "tax": 1.90, '
        f'"total": {net + Decimal("1.90")}, "items": ["x", "y"]}}'
    )
    return CheckedAnswer(
        orjson.dumps({"id": number, "text": text}).decode(), said, "stop", 1, 80, 30
    )


def seconds(judge_of: RuleJudge, group: list[CheckedAnswer]) -> float:
    """The processor time of one group, as its process would judge it."""
    began = time.process_time()
    only, given = orjson.loads(judge.encoded(group))
    found = judge_of.broken([CheckedAnswer(*one) for one in given], only)
    took = time.process_time() - began
    assert not found, found[:1]
    return took


@click.command()
@click.option("--rounds", default=40, show_default=True)
def main(rounds: int) -> None:
    """Print microseconds a row by rules and size of a group."""
    sizes, judges = (64, 256, 512), {count: made(RULES[:count])[0] for count in (1, 10)}
    groups = {size: answers(size) for size in sizes}
    times: dict[Any, list[float]] = {}
    for _ in range(rounds):
        for count, one in judges.items():
            for size, group in groups.items():
                times.setdefault((count, size), []).append(seconds(one, group))
    click.echo("rules  rows in a group  microseconds a row (median, least)")
    for (count, size), found in times.items():
        median, least = statistics.median(found) / size * 1e6, min(found) / size * 1e6
        click.echo(f"{count:5}  {size:15}  {median:.1f}, {least:.1f}")


if __name__ == "__main__":
    main()
