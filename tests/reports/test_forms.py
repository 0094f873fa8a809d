"""All forms of a report: the same amounts to the last digit, the same names, sums that hold."""

import html as entities
import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmbatch.accounting.costs import Costs, Listed, Phase, Saving
from llmbatch.accounting.speculation import SpeculationUse
from llmbatch.core import money, units
from llmbatch.reports import money_tables, rounding, wording
from llmbatch.reports.html import job as html_job
from llmbatch.reports.markdown import job as markdown_job
from llmbatch.reports.report import Report
from llmbatch.reports.table import Table
from llmbatch.reports.text import job as text_job
from tests.cli.reported import work
from tests.reports.test_markdown import attribution, share_of, under

NAMES = ("reading and planning", "engine start", "prefill", "decode", "idle", "export", "other")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("job")
    return work(folder, ["a", "a", "b", "c d e"], cost={"price_per_hour": 0.02})


def paid(report: Report, parts: Sequence[float], saved: Sequence[float] = ()) -> Report:
    """The report with these costs of its phases and these savings."""
    phases = [Phase(name, 1.0, part) for name, part in zip(NAMES, parts, strict=False)]
    savings = [Saving(f"saver {place}", 1, 1, cost) for place, cost in enumerate(saved)]
    costs = replace(
        report.costs,
        physical=sum(parts),
        virtual=sum(parts) + sum(saved),
        wasted=0.0,
        phases=[*phases, Phase("checkpoint", 0.5, 0.0001, parallel=True)],
        savings=savings,
    )
    return replace(report, costs=costs, all_costs=costs)


def amount(told: str) -> Decimal:
    return Decimal(told.replace("USD ", "").replace(",", ""))


def column(table: Table, place: int) -> dict[str, str]:
    return {line.name: line.cells[place] for line in table.lines}


def in_text(report: Report, label: str) -> dict[str, Decimal]:
    """The amounts of a line of the text, by the name before each."""
    (line,) = [line for line in text_job.render(report).splitlines() if label in line]
    parts = line.split(label, 1)[1].split(";")[0].split(", ")
    return {part.rsplit(" ", 1)[0].strip(): amount(part.rsplit(" ", 1)[1]) for part in parts}


AWKWARD = [(0.00000678333,) * 3, (1 / 3, 1 / 3, 1 / 3), (0.013116, 0.0000049, 0.000004, 20.0)]


@pytest.mark.parametrize("parts", AWKWARD)
def test_phases_add_up_and_are_alike_in_all_forms(report: Report, parts: Sequence[float]) -> None:
    told = paid(report, parts)
    page = column(money_tables.phases(told), 3)
    total = amount(page.pop("last run"))
    del page["checkpoint (beside the others)"]
    assert sum(map(amount, page.values())) == total
    lines = {row[0]: row[3] for row in under(markdown_job.render(told), "Where the time")}
    assert amount(lines.pop("**last run**")) == total
    del lines["checkpoint (beside the others)"]
    assert {name: amount(cell) for name, cell in lines.items()} == {
        name: amount(cell) for name, cell in page.items()
    }
    of_which = in_text(told, "of which ")
    assert sum(of_which.values()) == total
    assert all(amount(page[name]) == part for name, part in of_which.items() if name != "other")


@pytest.mark.parametrize(
    ("parts", "saved"),
    [((0.01311,), (0.0, 0.0, 0.000034)), ((0.0006665,), (0.05,)), ((0.0,), (0.02, 1 / 3))],
)
def test_what_was_paid_and_saved_adds_up_in_all_forms(
    report: Report, parts: Sequence[float], saved: Sequence[float]
) -> None:
    told = paid(report, parts, saved)
    page = column(money_tables.costs(told), 1)
    spent, whole = amount(page["Paid"]), amount(page["Without these savings"])
    cells = [amount(page[f"Saved by saver {place}"]) for place in range(len(saved))]
    assert spent + sum(cells) == whole
    rows = {row[0]: row[1] for row in under(markdown_job.render(told), "What it cost")}
    assert rows["**Paid**"] == page["Paid"]
    assert [amount(rows[f"Saved by saver {place}"]) for place in range(len(saved))] == cells
    if any(saved):
        assert f"; without that USD {whole:,f}" in text_job.render(told)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=7),
    st.lists(st.floats(-1e3, 1e6), max_size=3),
)
def test_amounts_of_any_costs_add_up(
    report: Report, parts: list[float], saved: list[float]
) -> None:
    costs: Costs = paid(report, parts, saved).costs
    found = rounding.round_phases(costs)
    of_phases = [part for part in found[: len(parts)] if part is not None]
    assert sum(of_phases) == money.rounded(sum(parts))
    told = rounding.round_savings(costs)
    assert told.paid + sum(part for part in told.by.values() if part is not None) == told.without


ODD = [
    (None, "(none)"),
    ("", "(empty)"),
    ("null", "null"),
    ("null ", "'null '"),
    ("(none)", "'(none)'"),
    ("(runs without work)", "'(runs without work)'"),
    ("a\tb", "'a\\tb'"),
    ("a  b", "'a \\x20b'"),
    ("'x'", "\"'x'\""),
    ("söß 漢", "söß 漢"),
]


@pytest.mark.parametrize(("value", "told"), ODD)
def test_a_value_has_one_name_in_all_forms(report: Report, value: str | None, told: str) -> None:
    shares = [share_of([value]), replace(share_of([None]), note="runs without work")]
    shown = replace(report, attribution=attribution(["team"], shares))
    assert under(markdown_job.render(shown), "Who pays")[0][0] == told
    assert money_tables.attribution(shown, 25).lines[0].name == told
    (line,) = [line for line in text_job.render(shown).splitlines() if f"  {told}  " in line]
    assert line.split(told)[1].split() == ["1", "2", "3", "4.0", "s", "0.01000", "50", "%"]
    drawn = entities.unescape(html_job.render(shown).split('id="figure-attribution"')[1])
    assert f"{told} USD 0.01" in drawn.split("</desc>")[0]


@given(st.lists(st.one_of(st.none(), st.text()), min_size=2, max_size=2, unique=True))
def test_no_two_values_look_the_same(values: list[str | None]) -> None:
    first, second = (wording.value(value) for value in values)
    assert first != second
    assert first.isprintable()
    assert first == " ".join(first.split()) or first[0] in "'\""


def test_what_belongs_to_no_value_is_set_apart(report: Report) -> None:
    shares = [replace(share_of([None, None]), note="runs without work")]
    shares += [share_of(["a / b", "c"]), share_of(["a", "b / c"]), share_of(["", None])]
    shown = replace(report, attribution=attribution(["team", "user"], shares))
    names = ["(runs without work)", "'a / b' / c", "a / 'b / c'", "(empty) / (none)"]
    lines = money_tables.attribution(shown, 25).lines
    assert [line.name for line in lines[:-1]] == names
    assert [line.kind for line in lines] == ["aside", "", "", "", "sum"]
    assert all(f"  {name}" in text_job.render(shown) for name in names)
    assert under(markdown_job.render(shown), "Who pays")[0][0] == "*(runs without work)*"


def test_shares_that_are_not_shown_are_in_the_sum(report: Report) -> None:
    shares = [
        replace(share_of([f"t{number}"]), cost=0.001, computed_prompt_tokens=1 / 3)
        for number in range(25)
    ]
    found = replace(attribution(["team"], shares), total=0.025, device_seconds=100.0)
    rows = under(markdown_job.render(replace(report, attribution=found)), "Who pays")
    assert len(rows) == 22
    *_, others, total = rows
    assert others[:2] == ["*(5 others, in the JSON report)*", "5"]
    assert total[:2] == ["**all**", "25"]
    assert (others[-2], total[-2]) == ("0.00500", "0.02500")
    tokens = [int(row[2]) for row in rows]
    assert sum(tokens[:-1]) == tokens[-1] == 8


def test_amounts_are_written_in_full(report: Report) -> None:
    dear = replace(report, runs=[replace(report.runs[0], price_per_hour=1e6, currency="EUR")])
    assert "EUR 1,000,000 an hour" in html_job.render(dear)
    assert units.significant(12_345_678.0, 3) == "12,345,678"
    assert units.significant(0.0000012345, 3) == "0.00000123"


def test_the_machine_is_described_in_words(report: Report) -> None:
    hardware = {
        "name": "A <device>",
        "kind": "gpu",
        "count": 2,
        "memory_bytes": 25_232_932_864,
        "flops": 664_609_792_000.0,
        "bandwidth": 3e10,
        "source": "measured",
    }
    engine = {"engine": "x", "hardware": hardware, "shape": {"tied": True}, "weight_bytes": 2**31}
    page = html_job.render(replace(report, engine=engine))
    section = entities.unescape(page.split('id="engine"')[1])
    assert "2 x A <device>, each 23.5 GiB, 0.665 TFLOP/s, 30 GB/s (measured)" in section
    assert "2.0 GiB" in section
    assert not re.search(r"flops|tied|664609792000", section)


def test_a_run_that_computed_nothing_says_so(tmp_path: Path) -> None:
    rows = ["a", "b", "c"]
    work(tmp_path, rows, cost={"price_per_hour": 3600.0})
    told = work(tmp_path, rows, cost={"price_per_hour": 3600.0})
    page = entities.unescape(html_job.render(told))
    assert "Run 2 computed nothing; this is run 1." in page.split('id="course"')[1]
    assert "It computed nothing." in page.split('aria-label="Summary"')[0]
    assert '<div class="value">-</div>' not in page
    assert "Saved by reuse is reported for the last run only." in page


def test_what_was_not_drawn_is_told(report: Report) -> None:
    assert "spared" not in html_job.render(report) + text_job.render(report)
    total = replace(report.all_runs, spared_tokens=1234)
    saved = replace(report, last_run=total, all_runs=total)
    assert "at least 1,234 more were spared" in text_job.render(saved)
    assert "Output tokens: at least 1,234 more were spared" in html_job.render(saved)


def test_what_was_drafted_is_told(report: Report) -> None:
    assert "drafted" not in text_job.render(report)
    use = SpeculationUse(100, 400, 300, [0.9, 0.6], 12.3, 4.5, 0.02)
    drafted = replace(report, speculation=use)
    told = (
        "100 drafts of 400 tokens in all, 300 accepted (75 %; by position 90 %, 60 %): about 12 "
        "steps saved, at most 4.5 s and USD 0.02"
    )
    assert told in text_job.render(drafted)
    assert f"Speculation: {told}" in html_job.render(drafted)


def test_a_small_run_pays_for_its_engine_start(report: Report) -> None:
    shown = replace(report, attribution=attribution(["t"], [share_of(["a"])]))
    assert "the start of its engine" in html_job.render(shown).split('id="attribution"')[1]


def test_money_in_two_currencies_is_not_told_as_one(report: Report) -> None:
    first = report.runs[0]
    both = [replace(first, currency="EUR"), replace(first, run=2)]
    shares = replace(attribution(["t"], [replace(share_of(["a"]), cost=None)]), total=None)
    told = replace(report, runs=both, attribution=shares, all_costs=unpriced(report.all_costs))
    for shown in (html_job.render(told), markdown_job.render(told)):
        words = " ".join(entities.unescape(shown).split())
        assert f"By device time, without money: {wording.no_money(both)}." in words
        assert "USD per 1,000 rows" not in words.split("Speed and cost by run")[-1]


def unpriced(costs: Costs) -> Costs:
    phases = [replace(phase, cost=None) for phase in costs.phases]
    savings = [replace(saving, cost=None) for saving in costs.savings]
    return replace(costs, physical=None, virtual=None, phases=phases, savings=savings)


@pytest.mark.parametrize(("price", "told"), [(0.0, True), (1.0, False)])
def test_a_listed_price_of_zero_is_told_and_no_tokens_are_not(
    report: Report, price: float, told: bool
) -> None:
    listed = Listed("somebody", price, price, None, 0.0, 0.0)
    seen = replace(report, costs=replace(report.costs, listed=listed))
    for rendered in (text_job.render(seen), markdown_job.render(seen), html_job.render(seen)):
        assert ("somebody" in rendered) is told
