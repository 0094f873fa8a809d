"""The lines of a report that matter first, and figures that each stand on one basis."""

from pathlib import Path

from llmbatch.accounting.attribution import FORMER, GONE
from llmbatch.job.cost import CostSpec
from llmbatch.reports import first_lines, renderers
from llmbatch.reports import report as job_report
from llmbatch.reports.report import Report
from llmbatch.reports.text import job as text_job
from llmbatch.store.database import Database
from tests.reports import answered

PAID = {"cost": {"price_per_hour": 3600.0}}


def lines(report: Report) -> dict[str, list[str]]:
    return {line.label: line.texts for line in first_lines.build(report)}


def two_runs(db: Database, **second: object) -> Report:
    answered.run(db, {"a": "x", "b": "y"}, PAID)
    answered.run(db, {"a": "x2", "b": "y2"}, second)
    return answered.reported(db)


def test_they_say_what_came_out_what_failed_and_what_to_do(tmp_path: Path) -> None:
    rows: dict[str, str | None] = {"a": "x", "b": "x", "c": "FAIL", "d": "FAIL"}
    with answered.store(tmp_path) as db:
        answered.run(db, rows, rejects=["odd"], ended=3)
        told = lines(answered.reported(db))
    assert told["rows"] == [
        "5 in = 2 answered + 2 failed + 1 rejected",
        "(rejected: lines that cannot be read as a row)",
        "of the answered ones, 1 row got the answer of an equal row",
    ]
    assert told["went wrong"] == [
        "2 failed and 1 rejected, all new",
        "2 too_long, such as row c (line 3): too long",
        "1 rejected: odd (line 5)",
    ]
    assert told["next"] == [
        "shorten the row or raise max_model_len",
        "mend the rejected lines, which are in the error file with their reasons",
    ]


def test_failures_that_are_known_are_told_from_new_ones(tmp_path: Path) -> None:
    rows: dict[str, str | None] = {"a": "x", "c": "FAIL"}
    with answered.store(tmp_path) as db:
        answered.run(db, rows, ended=3)
        answered.run(db, rows, ended=3)
        told = lines(answered.reported(db))
        assert told["went wrong"][0] == "1 failed, none new"
        assert "1 row reused from earlier runs" in told["rows"][-1]
        assert told["next"][-1] == "to let failures pass that are known already: --max-new-failed 0"
        answered.run(db, rows | {"d": "TEMPLATE"}, ended=3)
        told = lines(answered.reported(db))
    assert told["went wrong"][0] == "2 failed, 1 new"
    assert "--max-new-failed" not in told["next"][-1]


def test_a_stopped_run_says_how_it_goes_on(tmp_path: Path) -> None:
    with answered.store(tmp_path) as db:
        answered.run(db, {"a": "x", "b": None}, ended=4)
        told = lines(answered.reported(db))
    assert told["rows"][1] == "(pending: not computed yet)"
    assert told["next"] == ["1 row is pending: run the same command again to go on"]


def test_nothing_wrong_is_said_so(tmp_path: Path) -> None:
    with answered.store(tmp_path) as db:
        answered.run(db, {"a": "x"})
        told = lines(answered.reported(db))
    assert told["went wrong"] == ["nothing: no row failed, and none was rejected"]
    assert told["next"] == ["nothing: every row that was asked is answered"]


def test_all_forms_have_the_same_first_lines(tmp_path: Path) -> None:
    with answered.store(tmp_path) as db:
        report = two_runs(db)
    for line in first_lines.build(report):
        for text in line.texts:
            for style in ("text", "markdown", "html"):
                assert text in renderers.render(report, style), (style, text)


def test_the_end_of_a_run_has_no_details(tmp_path: Path) -> None:
    with answered.store(tmp_path) as db:
        report = two_runs(db)
    short, whole = text_job.render(report, details=False), text_job.render(report)
    assert whole.startswith(short + "details\n")
    assert "\nwords\n" in whole


def test_a_run_without_a_price_takes_no_money_away(tmp_path: Path) -> None:
    with answered.store(tmp_path) as db:
        report = two_runs(db)
    first = report.runs[0]
    assert report.all_runs.cost == report.all_costs.physical == first.cost
    assert report.all_runs.unpriced_runs == [2]
    assert report.all_costs.per_row == first.cost / 2 if first.cost else None
    told = lines(report)["cost"]
    assert told[1].endswith("; without run 2, which had no price")
    for style in ("text", "markdown", "html"):
        assert "without run 2, which had no price" in renderers.render(report, style)


def test_amounts_are_in_the_currency_that_has_a_price(tmp_path: Path) -> None:
    with answered.store(tmp_path) as db:
        answered.run(db, {"a": "x"}, {"cost": {"price_per_hour": 3600.0, "currency": "EUR"}})
        answered.run(db, {"a": "y"})
        report = answered.reported(db)
    assert report.currency == "EUR"
    assert lines(report)["cost"][1].startswith("all 2 runs: EUR ")


def test_requests_of_an_earlier_prompt_are_not_rows_that_left(tmp_path: Path) -> None:
    with answered.store(tmp_path) as db:
        answered.run(db, {"a": "x", "b": "y"}, PAID)
        answered.run(db, {"a": "x2", "b": "y2"}, {"prompt": "{{ t }}?"} | PAID)
        assert _notes(db) == {FORMER}
        answered.run(db, {"a": "x2", "c": "z"}, {"prompt": "{{ t }}?"} | PAID)
        assert _notes(db) == {FORMER, GONE}


def _notes(db: Database) -> set[str]:
    report = job_report.build(db, CostSpec(attribute_by=("t",)))
    assert report is not None
    assert report.attribution is not None
    shares = report.attribution.shares
    return {share.note for share in shares if share.note is not None}


def test_each_run_counts_the_rows_that_it_settled(tmp_path: Path) -> None:
    """Also those whose requests the present prompt does not make any more."""
    with answered.store(tmp_path) as db:
        report = two_runs(db)
    assert [run.rows for run in report.runs] == [2, 2]
    assert report.all_runs.rows == 4


def test_duplicates_are_counted_as_saved_once_they_are_answered(tmp_path: Path) -> None:
    rows: dict[str, str | None] = {"a": "x", "b": "x", "c": "FAIL", "d": "FAIL"}
    with answered.store(tmp_path) as db:
        answered.run(db, rows, ended=3)
        found = answered.reported(db).duplicates
    assert (found.rows, found.answered, found.prompt_tokens) == (2, 1, 10)


def test_a_reused_answer_of_several_rows_is_valued_once(tmp_path: Path) -> None:
    with answered.store(tmp_path) as db:
        for _ in range(2):
            answered.run(db, {"a": "x", "b": "x", "c": "x"})
        report = answered.reported(db)
    saved = {each.by: each.prompt_tokens for each in report.costs.savings}
    assert saved == {"prefix cache": 0, "duplicates": 20, "reuse": 10}
    assert report.duplicates.prompt_tokens == 20
    # Rows, not requests.
    assert report.reused == 3


def test_dead_letters_are_not_reused(tmp_path: Path) -> None:
    rows: dict[str, str | None] = {"a": "x", "b": "FAIL"}
    with answered.store(tmp_path) as db:
        answered.run(db, rows, ended=3)
        answered.run(db, rows, ended=3)
        assert answered.reported(db).reused == 1


def test_one_report_has_one_figure_for_the_hits_of_the_prefix_cache(tmp_path: Path) -> None:
    with answered.store(tmp_path) as db:
        report = two_runs(db)
    text = text_job.render(report).split("all runs\n")[0]
    assert text.count("40 %") == 1
    assert "8 served by the prefix cache, 40 %" in text


def test_a_gold_set_that_failed_is_what_went_wrong(tmp_path: Path) -> None:
    with answered.store(tmp_path) as db:
        answered.run(db, {"a": "x", "b": None}, ended=6)
        told = lines(answered.reported(db))
    assert told["went wrong"] == ["finished; nothing else was run, and no output written"]
    assert told["next"][0].startswith("see which gold rows are wrong (llmbatch eval)")
