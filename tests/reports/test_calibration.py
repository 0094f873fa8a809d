"""Right answers and their confidence, computed once more by hand."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from llmbatch.reports import calibration_words, renderers
from llmbatch.reports.calibration import Calibration
from llmbatch.reports.html import reliability
from llmbatch.reports.report import Report
from tests.cli.reported import work
from tests.reports import answered

CLASSIFY = {"labels": ["a", "b"], "gold": "gold"}
# Of each row: its right label, its answer, the confidence in it.
ROWS = [
    ("a", "a", 0.95),
    ("a", "a", 0.91),
    ("b", "a", 0.99),
    ("b", "b", 0.55),
    (" a ", "b", 0.51),
    ("c", "b", 1.0),
    ("", "a", 0.7),
    (None, "a", 0.7),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return reported(tmp_path_factory.mktemp("job"))


@pytest.fixture(scope="module")
def found(report: Report) -> Calibration:
    assert report.calibration is not None
    return report.calibration


def reported(folder: Path, **classify: object) -> Report:
    texts: Mapping[str, str] = {
        f"r{place}": json.dumps({"response": label, "confidence": sure})
        for place, (_, label, sure) in enumerate(ROWS)
    }
    beside = {f"r{place}": {"gold": gold} for place, (gold, _, _) in enumerate(ROWS)}
    with answered.store(folder) as db:
        settings = {"task": "classify", "classify": CLASSIFY | classify}
        answered.run(db, texts, settings, beside=beside)
        return answered.reported(db)


def test_accuracy_and_calibration_are_those_of_the_rows_with_a_label(found: Calibration) -> None:
    assert (found.column, found.rows, found.rows_without, found.unknown_rows) == ("gold", 6, 2, 1)
    assert found.accuracy == pytest.approx(3 / 6)
    assert found.accuracy_low < 0.5 < found.accuracy_high
    assert found.confidence == pytest.approx((0.95 + 0.91 + 0.99 + 0.55 + 0.51 + 1.0) / 6)
    low, high = found.bins
    assert (low.low, low.high, low.rows, low.accuracy) == (0.5, 0.6, 2, 0.5)
    assert (high.low, high.high, high.rows, high.accuracy) == (0.9, 1.0, 4, 0.5)
    assert low.confidence == pytest.approx(0.53)
    assert found.error == pytest.approx((2 * 0.03 + 4 * (0.9625 - 0.5)) / 6)


def test_each_label_has_its_rows(found: Calibration) -> None:
    counts = {e.label: (e.gold_rows, e.answered_rows, e.right_rows) for e in found.labels}
    assert counts == {"a": (3, 3, 2), "b": (2, 3, 1), "c": (1, 0, 0)}


def test_every_form_says_it(report: Report) -> None:
    texts = {style: renderers.render(report, style) for style in ("text", "markdown", "html")}
    for style, text in texts.items():
        assert "50.0 % right" in text, style
        assert "expected calibration error 31.8 %" in text, style
    assert '<section id="calibration">' in texts["html"]
    assert 'id="calibration-narrow' in texts["html"] or "Without figures" in texts["html"]
    assert json.loads(renderers.render(report, "json"))["calibration"]["rows"] == 6
    (bins, labels) = calibration_words.tables(report.calibration)
    assert [line.name for line in bins.lines] == ["0.5 to 0.6", "0.9 to 1.0", "all"]
    assert labels.lines[0].cells == ["a", "3", "3", "2", "67 %", "67 %"]


def test_rows_of_which_no_answer_could_be_right_are_named(found: Calibration) -> None:
    lines = list(calibration_words.lines(found))
    assert any("label of 1 row is none of the job's" in line for line in lines)
    assert any("2 answered rows without one" in line for line in lines)


def test_without_right_labels_nothing_is_said(tmp_path: Path) -> None:
    report = reported(tmp_path, gold=None)
    assert report.calibration is None
    assert all(not table.lines for table in calibration_words.tables(None))
    assert reliability.reliability(report) is None
    assert "calibration" not in renderers.render(report, "text")


def test_a_run_tells_it_of_its_answers(tmp_path: Path) -> None:
    classify = {"labels": ["a", "b"], "gold": "t"}
    report = work(tmp_path, ["a", "a", "b", "c"], task="classify", classify=classify)
    assert report.calibration is not None
    assert (report.calibration.rows, report.calibration.unknown_rows) == (4, 1)
