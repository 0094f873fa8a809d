"""The attribution of the cost: every cent belongs to the values whose rows have used it."""

import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from llmbatch.accounting.attribution import FORMER, IDLE, OTHERS, Attribution
from llmbatch.core import money
from llmbatch.core.clock import Moment
from llmbatch.core.errors import UsageError
from llmbatch.core.outcomes import Verdict
from llmbatch.core.records import Record
from llmbatch.core.step_cost import StepMoments
from llmbatch.job.cost import CostSpec
from llmbatch.reports import json as as_json
from llmbatch.reports import report as reports_report
from llmbatch.reports.report import Report
from llmbatch.reports.text import job
from llmbatch.store import plans, runs, snapshots
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store
from llmbatch.store.rendered_rows import RenderedRow
from llmbatch.store.runs import Attempt
from llmbatch.store.snapshots import Row, Source

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Try:
    """An attempt at a request, which is a number."""

    request: int
    prompt: int
    cached: int
    output: int
    answered: bool = True


@dataclass
class Run:
    """A run of so many seconds at a price by the hour; `steps`: (seconds, sequences, prefill)."""

    seconds: float
    tries: list[Try] = field(default_factory=list)
    cost: dict[str, Any] = field(default_factory=lambda: {"price_per_hour": 3.6})
    steps: list[tuple[float, int, int]] = field(default_factory=list)


@dataclass
class Told:
    """A row: what it holds and the number of its request (-1: none could be made)."""

    data: dict[str, Any]
    request: int


# The values of the columns, and what is noted in their stead.
Owner = tuple[tuple[str | None, ...], str | None]


def key(request: int) -> str:
    return f"{request:032x}"


@contextmanager
def held(rows: list[Told], worked: list[Run]) -> Iterator[Database]:
    """A store in which these runs have worked on these rows."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(Path(folder) / "job.duckdb") as db,
    ):
        plan = _plan(db, rows)
        tried: dict[int, int] = defaultdict(int)
        answered: set[int] = set()
        for run in worked:
            _work(db, plan, run, tried, answered)
        yield db


def _plan(db: Database, rows: list[Told]) -> int:
    items = [
        Row(number, str(number), Record(number, orjson.dumps(row.data).decode()))
        for number, row in enumerate(rows, 1)
    ]
    columns = list(dict.fromkeys(name for row in rows for name in row.data)) or ["team"]
    source = Source("in.jsonl", "jsonl", "digest", None, columns)
    snapshot = snapshots.replace(db, items, lambda: source)
    rendered = [
        RenderedRow(number, None, "template", "no", None)
        if row.request < 0
        else RenderedRow(number, key(row.request), None, None, f"text {row.request}")
        for number, row in enumerate(rows, 1)
    ]
    return plans.replace(db, snapshot.snapshot, "plan", [rendered], None).plan


def _work(db: Database, plan: int, run: Run, tried: dict[int, int], answered: set[int]) -> None:
    spec: dict[str, object] = {
        "input": "in.jsonl",
        "output": "out.jsonl",
        "model": "m",
        "cost": run.cost,
    }
    number = runs.begin(db, plan, Moment(BEGAN, None), spec)
    attempts = []
    for each in run.tries:
        tried[each.request] += 1
        tokens = (each.prompt, each.cached, each.output)
        name, attempt = key(each.request), tried[each.request]
        if each.answered and each.request not in answered:
            answered.add(each.request)
            attempts.append(
                Attempt(name, attempt, Verdict.ANSWERED, None, None, "stop", "yes", *tokens)
            )
        else:
            attempts.append(
                Attempt(name, attempt, Verdict.RETRY, "truncated", "cut", None, None, *tokens)
            )
    moments = StepMoments()
    for step in run.steps:
        moments += StepMoments.of_step(*step)
    if attempts:
        runs.checkpoint(db, number, 1, attempts, {"moments": asdict(moments)})
    ended = BEGAN + timedelta(seconds=run.seconds)
    db.record(
        {
            "run_ends": {
                "run": [number],
                "ended_at": [ended.replace(tzinfo=None)],
                "reason": ["ended"],
                "exit_code": [0],
                "timings": ["{}"],
            }
        }
    )
    db.execute("UPDATE runs SET started_at = ?", [BEGAN.replace(tzinfo=None)])


def reported(db: Database, *by: str, **cost: Any) -> Report:
    report = reports_report.build(db, CostSpec(attribute_by=by, **cost))
    assert report is not None
    return report


def divided(db: Database, *by: str, **cost: Any) -> Attribution:
    found = reported(db, *by, **cost).attribution
    assert found is not None
    return found


def steps(prefill: float, each: float) -> list[tuple[float, int, int]]:
    """Steps in which a prefill token takes so many seconds, and an output token so many."""
    counts = [(n % 5 + 1, 10 * (n % 4)) for n in range(20)]
    return [(each * s + prefill * p, s, p) for s, p in counts]


TRIES = st.lists(
    st.builds(
        lambda request, prompt, cached, output, answered: Try(
            request, prompt, min(prompt, cached), output, answered
        ),
        st.integers(0, 7),
        st.integers(0, 5000),
        st.integers(0, 5000),
        st.integers(0, 900),
        st.booleans(),
    ),
    max_size=12,
)
PRICES = st.one_of(
    st.builds(
        lambda price, devices: {"price_per_hour": price, "devices": devices},
        st.floats(0, 40_000),
        st.integers(1, 8),
    ),
    st.just({"price_per_million": {"input": 0.15, "output": 0.6, "cached": 0.075}}),
)
RUNS = st.lists(
    st.builds(
        Run,
        st.integers(0, 10**10).map(lambda micro: micro / 1e6),
        TRIES,
        PRICES,
        st.sampled_from([[], steps(0.001, 0.02), steps(0.3, 0.0001)]),
    ),
    min_size=1,
    max_size=4,
)
TEAMS = st.sampled_from(["red", "blue", "00123", 123, 12345678901234567890, "", None, True])
ROWS = st.lists(
    st.builds(
        lambda team, customer, request: Told({"team": team} | customer, request),
        TEAMS,
        st.sampled_from([{}, {"customer": "a"}, {"customer": "b"}]),
        st.integers(-1, 5),
    ),
    max_size=20,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # each example is a store: slow to shrink
)
@given(rows=ROWS, worked=RUNS)
def test_the_shares_are_those_of_the_tokens_and_add_up(rows: list[Told], worked: list[Run]) -> None:
    with held([Told({"team": "", "customer": ""}, -1), *rows], worked) as db:
        report = reported(db, "team", "customer")
    found = report.attribution
    assert found is not None
    assert found.total is not None
    assert report.all_costs.physical is not None
    total = money.rounded(report.all_costs.physical)
    told = json.loads(as_json.render(report), parse_float=Decimal)["attribution"]
    assert told["total"] == total == sum(share["cost"] for share in told["shares"])
    assert told["device_seconds"] == sum(share["device_seconds"] for share in told["shares"])
    seconds = sum(Decimal(repr(run.seconds * run.devices)) for run in report.runs)
    assert abs(told["device_seconds"] - seconds) <= Decimal("0.0005")
    # A unit for being a whole number of them, half a one because the total is, too.
    unit = Fraction(money.quantum(total)) * Fraction("1.51")
    wanted = expected(rows, worked, report)
    given = {(tuple(share.values), share.note): share for share in found.shares}
    assert given.keys() >= {owner for owner, parts in wanted.items() if parts.cost}
    for owner, share in given.items():
        parts = wanted[owner]
        assert abs(Fraction(str(share.cost)) - parts.cost) <= unit
        assert abs(Fraction(str(share.device_seconds)) - parts.seconds) <= Fraction("0.00151")
        assert share.computed_prompt_tokens == pytest.approx(float(parts.computed))
        assert share.output_tokens == pytest.approx(float(parts.output))
        assert (share.rows, share.pending_rows) == (parts.rows, parts.pending)
    assert sum(share.rows + share.pending_rows for share in found.shares) == 1 + len(rows)
    assert sum(share.share for share in found.shares) in (0, pytest.approx(1.0))


def exact(number: float) -> Decimal:
    return Decimal(repr(number))


@dataclass
class Parts:
    """The use by an owner, before it is rounded."""

    cost: Fraction = Fraction(0)
    seconds: Fraction = Fraction(0)
    computed: Fraction = Fraction(0)
    output: Fraction = Fraction(0)
    rows: int = 0
    pending: int = 0


def expected(rows: list[Told], worked: list[Run], report: Report) -> dict[Owner, Parts]:
    """The parts, attempt by attempt."""
    owners: dict[int, list[Owner]] = defaultdict(list)
    none: tuple[str | None, ...] = (None, None)
    parts: dict[Owner, Parts] = defaultdict(Parts)
    answered = {each.request for run in worked for each in run.tries if each.answered}
    parts[("", ""), None].rows = 1
    for row in rows:
        values = (row.data["team"], row.data.get("customer"))
        owner: Owner = (tuple(None if v is None else said(v) for v in values), None)
        parts[owner].rows += row.request < 0 or row.request in answered
        parts[owner].pending += row.request >= 0 and row.request not in answered
        if row.request >= 0:
            owners[row.request].append(owner)
    for run, usage in zip(worked, report.runs, strict=True):
        weights = usage.weights
        by_time = [weighed(each, weights.prompt, 0, weights.output) for each in run.tries]
        price = usage.price_per_million
        by_cost = by_time
        if price is not None:
            by_cost = [weighed(one, price.input, price.cached, price.output) for one in run.tries]
        seconds, paid = Fraction(usage.seconds) * usage.devices, Fraction(usage.cost or 0)
        if not run.tries:
            parts[none, IDLE].seconds += seconds
            parts[none, IDLE].cost += 0 if price else paid
        if not sum(by_time):
            by_time = [Fraction(1)] * len(run.tries)
            by_cost = by_cost if price else by_time
        for each, for_time, for_cost in zip(run.tries, by_time, by_cost, strict=True):
            found = owners[each.request] or [(none, FORMER)]
            for owner in found:
                mine = parts[owner]
                mine.cost += paid * for_cost / (sum(by_cost) or 1) / len(found)
                mine.seconds += seconds * for_time / (sum(by_time) or 1) / len(found)
                mine.computed += Fraction(each.prompt - each.cached, len(found))
                mine.output += Fraction(each.output, len(found))
    return parts


def weighed(each: Try, computed: float, cached: float, output: float) -> Fraction:
    weights = map(Fraction, (computed, cached, output))
    tokens = (each.prompt - each.cached, each.cached, each.output)
    return sum((a * b for a, b in zip(weights, tokens, strict=True)), Fraction(0))


def said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_weights_that_the_steps_told_divide_the_cost() -> None:
    """A prefill token takes a tenth of an output token; the run costs 1 a second."""
    tries = [Try(0, 1000, 500, 0), Try(1, 10, 10, 150)]
    rows = [Told({"team": "reads"}, 0), Told({"team": "writes"}, 1)]
    run = Run(20.0, tries, {"price_per_hour": 3600.0}, steps(0.01, 0.1))
    with held(rows, [run]) as db:
        found = divided(db, "team")
    assert [(share.values, share.cost) for share in found.shares] == [
        (["writes"], 15.0),
        (["reads"], 5.0),
    ]


def test_a_shared_request_is_split_among_its_rows_and_retries_count() -> None:
    tries = [Try(0, 0, 0, 30), Try(0, 0, 0, 60), Try(1, 0, 0, 30)]
    rows = [Told({"t": team}, 0) for team in "aab"] + [Told({"t": "b"}, 1)]
    with held(rows, [Run(120.0, tries, {"price_per_hour": 3600.0})]) as db:
        found = divided(db, "t")
    assert [(share.values, share.rows, share.cost) for share in found.shares] == [
        (["a"], 2, 60.0),
        (["b"], 2, 60.0),
    ]
    assert [share.output_tokens for share in found.shares] == [60.0, 60.0]


def test_what_no_row_has_used_is_noted() -> None:
    rows = [Told({"t": "a"}, 0), Told({"t": "b"}, 3)]
    worked = [Run(30.0, [Try(0, 10, 0, 5), Try(1, 15, 0, 0)]), Run(10.0)]
    with held(rows, worked) as db:
        report = reported(db, "t")
    found = report.attribution
    assert found is not None
    told = [(share.values, share.note, share.rows, share.cost) for share in found.shares]
    assert told == [
        (["a"], None, 1, 0.015),
        ([None], FORMER, 0, 0.015),
        ([None], IDLE, 0, 0.01),
        (["b"], None, 0, 0.0),
    ]
    shown = lines_of(report)
    assert shown["a"][-2:] == ["0.01500", "38%"]
    assert shown["(runs without work)"][-2:] == ["0.01000", "25%"]
    assert shown["all"][-2:] == ["0.04000", "100%"]


def test_rows_that_were_not_run_are_pending() -> None:
    rows = [Told({"t": team}, number) for number, team in enumerate("aaabb")]
    tries = [Try(0, 0, 0, 10), Try(1, 0, 0, 10, answered=False), Try(3, 0, 0, 20)]
    with held(rows, [Run(40.0, tries, {"price_per_hour": 3600.0})]) as db:
        report = reported(db, "t")
    found = report.attribution
    assert found is not None
    assert [(s.values, s.rows, s.pending_rows, s.cost) for s in found.shares] == [
        (["a"], 1, 2, 20.0),
        (["b"], 1, 1, 20.0),
    ]
    assert lines_of(report)["a"] == ["1", "2", "0", "20", "20.0s", "20.00", "50%"]


def test_attempts_without_a_token_share_what_their_run_took() -> None:
    """The engine refused all that was tried: only those who asked are to pay for it."""
    rows = [Told({"t": "a"}, 0), Told({"t": "b"}, 1), Told({"t": "b"}, 2)]
    refused = [Try(number, 0, 0, 0, answered=False) for number in range(3)]
    with held(rows, [Run(30.0, refused, {"price_per_hour": 3600.0})]) as db:
        found = divided(db, "t")
    assert found.total == 30.0
    assert [(s.values, s.note, s.cost, s.device_seconds) for s in found.shares] == [
        (["b"], None, 20.0, 20.0),
        (["a"], None, 10.0, 10.0),
    ]


def lines_of(report: Report) -> dict[str, list[str]]:
    """The cells of each line in the text, without blanks in them."""
    lines = job.render(report).split("who pays, by ")[1].splitlines()[3:]
    parts = [re.split(" {2,}", line.strip()) for line in lines]
    return {name: [cell.replace(" ", "") for cell in cells] for name, *cells in parts}


def test_it_is_said_which_money_is_not_in_the_sum() -> None:
    tries = [Try(0, 0, 0, 3)]
    worked = [Run(1.0, tries), Run(1.0, tries, {"price_per_hour": 3.6, "currency": "EUR"})]
    with held([Told({"t": "a"}, 0)], worked) as db:
        shown = job.render(reported(db, "t"))
    without = "without run 1, paid in USD, not EUR"
    assert f"\n  The money is {without}; the device time is that of all runs.\n" in shown
    assert f"\n              all 2 runs: EUR 0.001000; 2.0 s; {without}\n" in shown
    assert f"\n              money {without}\n" in shown


def test_without_a_price_the_seconds_are_divided() -> None:
    rows = [Told({"t": "a"}, 0), Told({}, 1)]
    with held(rows, [Run(4.0, [Try(0, 0, 0, 3), Try(1, 0, 0, 1)], {"price_per_hour": None})]) as db:
        found = divided(db, "t")
    assert found.total is None
    assert [
        (share.values, share.cost, share.device_seconds, share.share) for share in found.shares
    ] == [(["a"], None, 3.0, 0.75), ([None], None, 1.0, 0.25)]


def test_a_price_given_later_wins() -> None:
    with held([Told({"t": "a"}, 0)], [Run(3600.0, [Try(0, 10**6, 0, 1)])]) as db:
        assert divided(db, "t", price_per_hour=2.0).total == 2.0
        assert divided(db, "t", price_per_hour=2.0, devices=4).total == 8.0
        assert divided(db, "t", price_per_million="7/0").total == 7.0
        assert divided(db, "t").total == 3.6


def test_values_are_text_as_they_came() -> None:
    values = ["00123", 123, "123", 12345678901234567890123, 1.5, True, {"a": [1]}, "", None]
    written = [orjson.Fragment(str(v)) if isinstance(v, int) and v > 2**64 else v for v in values]
    rows = [Told({"a.b/~\"c'": value}, number) for number, value in enumerate(written)]
    tries = [Try(number, 0, 0, 100 - number) for number in range(len(rows))]
    with held(rows, [Run(1.0, tries)]) as db:
        found = divided(db, "a.b/~\"c'")
    told = {share.values[0]: share.rows for share in found.shares}
    assert told == {
        "00123": 1, "123": 2, "12345678901234567890123": 1, "1.5": 1, "true": 1, '{"a":[1]}': 1,
        "": 1, None: 1,
    }  # fmt: skip


def test_beyond_the_costliest_values_the_others_are_one_share() -> None:
    rows = [Told({"id": str(number)}, number) for number in range(10_050)]
    tries = [Try(number, 1, 0, 5 if number < 10_000 else 1) for number in range(10_050)]
    with held(rows, [Run(1000.0, tries, {"price_per_hour": 36_000.0})]) as db:
        report = reported(db, "id")
    found = report.attribution
    assert found is not None
    assert len(found.shares) == 10_001
    (others,) = [share for share in found.shares if share.note == OTHERS]
    assert (others.rows, others.output_tokens) == (50, 50)
    assert sum(exact(share.cost or 0.0) for share in found.shares) == 10_000
    assert job.render(report).count("\n") < 60


def test_an_unknown_column_is_answered_with_the_nearest() -> None:
    with (
        held([Told({"team": "a", "n": 1}, 0)], [Run(1.0)]) as db,
        pytest.raises(UsageError, match=r"no column 'taem'.*did you mean 'team'.*columns: team, n"),
    ):
        reported(db, "team", "taem")


def test_a_column_that_has_left_the_input_is_one_without_values() -> None:
    """Of the settings that a run had: its report must not fail for an input that came later."""
    run = Run(1.0, [Try(0, 1, 0, 1)], {"price_per_hour": 1.0, "attribute_by": ["gone"]})
    with held([Told({"team": "a"}, 0)], [run]) as db:
        report = reports_report.build(db)
    assert report is not None
    assert report.attribution is not None
    assert [share.values for share in report.attribution.shares] == [[None]]
