"""The first commands of the README do what it says, on a file as Excel saves it."""

import re
import shlex
from pathlib import Path

import openpyxl

from tests.cli.command import ENGINE, QuickJob

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
ROWS = [
    ("007", "Müller", "1,5", "Schöne Grüße; die Lampe flackert"),
    ("008", "Weiß", "2,0", "Bitte um Rückruf"),
    *((f"{number:03}", "Jörg", "3", f"=Größe {number}") for number in range(9, 40)),
]


def command() -> list[str]:
    """The first run of the README, with the scripted engine in place of its model."""
    (line,) = re.findall(r"^    llmbatch (run kunden.csv .*)$", README, re.MULTILINE)
    words = shlex.split(line)
    words[words.index("-m") + 1] = "m"
    return [*words, "--engine", ENGINE, "--engine-arg", "ledger=ledger"]


def sheet(job: QuickJob) -> list[tuple[object, ...]]:
    rows = openpyxl.load_workbook(job.folder / "answers.xlsx").active.iter_rows(values_only=True)
    return [*rows]


def test_a_spreadsheet_gets_its_answers(quick: QuickJob) -> None:
    cells = [("Nr", "Kunde", "Größe", "Text"), *ROWS]
    text = "".join(";".join(f'"{c}"' if ";" in c else c for c in row) + "\r\n" for row in cells)
    quick.write("kunden.csv", text.encode("cp1252"))
    first = quick.command(*command())
    assert first.code == 0, first.stderr
    assert "reading ';' as separator, cp1252 as encoding" in first.stderr
    assert [row[:4] for row in sheet(quick)] == [*cells[:21]]
    assert quick.computed() == 20
    words = command()
    at = words.index("--limit")
    rest = quick.command(*words[:at], *words[at + 2 :])
    assert rest.code == 0, rest.stderr
    header, *rows = sheet(quick)
    assert header == (*cells[0], "response")
    assert [row[:4] for row in rows] == ROWS
    assert {row[4] for row in rows} <= {"question", "complaint", "order"}
    assert quick.computed() == len(ROWS) - 20
