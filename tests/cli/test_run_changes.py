"""Each night is compared with the one before; with too many other answers it ends in 3."""

import json

from tests.cli.command import QuickJob
from tests.cli.test_nightly import texts, write

IDS = ("-q", "--id-column", "id")


def changed(quick: QuickJob) -> dict[str, int]:
    rows: dict[str, int] = quick.report()["changes"]["rows"]
    return {name: count for name, count in rows.items() if count}


def test_a_night_is_told_against_the_one_before(quick: QuickJob) -> None:
    write(quick, texts(10))
    assert quick.run(*IDS).code == 0
    assert quick.report()["changes"] is None
    assert quick.run(*IDS).code == 0
    assert changed(quick) == {"same_input_rows": 10, "compared_rows": 10}
    # The output may be gone.
    quick.output.unlink()
    rows = {n: text for n, text in texts(12).items() if n != 5} | {3: "edited", 4: "FAIL"}
    write(quick, rows)
    assert quick.run(*IDS, "--max-churn", "0%", "--max-failed", "1").code == 0
    assert changed(quick) == {
        "new_rows": 2,
        "gone_rows": 1,
        "changed_input_rows": 2,
        "same_input_rows": 7,
        "compared_rows": 7,
    }
    shown = quick.command("status", "out.jsonl").stdout
    assert "  changed  against run 2 of " in shown or "  changed  against run 1 of " in shown
    assert "of 7 answers to the same input none changed" in shown
    # Nothing that everybody must see, but the details have it.
    report = quick.command("report", "out.jsonl").stdout
    assert report.index("none changed") > report.index("\ndetails\n")


def test_too_many_other_answers_end_in_3_after_all_is_written(quick: QuickJob) -> None:
    write(quick, texts(10))
    assert quick.run(*IDS).code == 0
    before = quick.output.read_bytes()
    other = ("-p", "Tell {{ text }}", "--max-churn", "50%")
    done = quick.run(*IDS[1:], *other)
    assert done.code == 3
    said = "100 % of the answers to the same input changed (10 of 10; --max-churn 50%)"
    assert f"finished, {said}" in done.stderr
    assert "  changed     against run 1 of " in done.stderr
    assert quick.output.read_bytes() != before
    assert len(quick.records()) == 10
    assert quick.report()["changes"]["churn"] == 1
    assert json.loads(quick.command("status", "out.jsonl", "--format", "json").stdout)["changes"]
    # The next night is compared with this one.
    assert quick.run(*IDS, *other).code == 0


def test_forgotten_answers_are_compared_all_the_same(quick: QuickJob) -> None:
    flags = ("-q", "--choice", "a", "--choice", "b", "--temperature", "1", "--max-churn", "20%")
    write(quick, texts(60))
    assert quick.run(*flags, "--seed", "1").code == 0
    assert quick.run(*flags, "--seed", "1", "--fresh").code == 0
    found = quick.report()["changes"]
    assert (found["churn"], found["rows"]["compared_rows"]) == (0, 60)
    assert [each["stability"]["index"] for each in found["labels"]] == [0]
    assert quick.run(*flags, "--seed", "4", "--fresh").code == 3
    found = quick.report()["changes"]
    assert found["rows"]["changed_answers"] == 60
    assert found["labels"][0]["stability"]["level"] == "large"
    report = quick.command("report", "out.jsonl").stdout
    assert "the labels of the answers shifted: population stability index " in report


def test_a_run_that_was_stopped_is_not_compared(quick: QuickJob) -> None:
    write(quick, texts(6))
    assert quick.run("-q").code == 0
    write(quick, texts(9))
    assert quick.run("-q", "--max-rows", "1").code == 4
    assert quick.report()["changes"] is None
    assert quick.run("-q").code == 0
    assert changed(quick) == {"new_rows": 3, "same_input_rows": 6, "compared_rows": 6}
