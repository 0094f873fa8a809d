"""The report as an HTML page, looked at in a real browser."""

import html
import http.server
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from llmbatch.accounting.device_share import Cause, DeviceShare
from llmbatch.cli.narration import Silent
from llmbatch.core.errors import EngineError
from llmbatch.job import finder
from llmbatch.job import folder as job_folder
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import execute, preflight
from llmbatch.reports import folder as folder_report
from llmbatch.reports import report as job_report
from llmbatch.reports.html import folder as folder_page
from llmbatch.reports.html import job
from llmbatch.reports.report import Report
from llmbatch.store.opening import open_store
from tests.cli import browser as browsers
from tests.cli.browser import Browser
from tests.cli.command import ENGINE

HOSTILE = (
    '<script>document.title = "taken over"</script><img src=x onerror=alert(1)> $x_1$ {{ 7*7 }}'
)
WIDTH = 1100


def rows(count: int) -> list[dict[str, Any]]:
    """Rows with duplicates, and rows that fail in three ways."""
    marks = {3: "FAIL:too_long", 7: "LENGTH", 11: "FAIL:refused_request"}
    return [
        {
            "text": f"{marks.get(n % 40, '')} {'word ' * (n % 23)} {n if n % 5 else 'shared'}",
            "team": ("search", "maps", None, HOSTILE)[n % 4],
        }
        for n in range(count)
    ]


def work(folder: Path, given: list[dict[str, Any]], **changes: Any) -> Path:
    """A run over these rows; the job's store."""
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))
    engine = {"slots": 8, "window": 16, "delay": 0.001, "counter": str(folder / "counter")}
    table: dict[str, Any] = {
        "input": str(folder / "in.jsonl"),
        "output": str(folder / f"{HOSTILE[:8]}answers.jsonl"),
        "model": HOSTILE,
        "prompt": "{{ text }}",
        "engine": {"name": ENGINE, **engine, **changes.pop("engine", {})},
        "cost": {"price_per_hour": 2.5, "attribute_by": "team", "listed_price": "0.15/0.60"},
        "run": {"checkpoint_rows": 20, "chunk_size": 40},
    }
    spec = JobSpec.model_validate(table | changes)
    try:
        execute.execute(preflight.make_ready(spec), Silent())
    except EngineError as error:
        assert "engine" in changes or str(error)
    return job_folder.paths_for(spec).store


def read(store: Path) -> Report:
    with open_store(store, read_only=True) as db:
        report = job_report.build(db)
    assert report is not None
    return report


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A job of three runs: a clean one, one whose engine does not start, and one with failures,
    retries, duplicates, and an engine that dies twice and is started again."""
    folder = tmp_path_factory.mktemp("troubled")
    work(folder, rows(60))
    work(folder, rows(80), engine={"start_error": HOSTILE})
    dies = {"die_after": 70, "die_times": 2, "start_delay": 0.2}
    report = read(work(folder, rows(300), engine=dies))
    causes = [Cause("engine", 0.3, 0.5, "see <b>"), Cause("small batch", 0.12, 0.2, "raise it")]
    limit = DeviceShare(HOSTILE, "data sheet", 1e15, 4e12, 5e4, 2e4, 900.0, 0.18, 0.6, 0.3, causes)
    # The scripted engine runs on no device that is known.
    return replace(report, limit=limit)


@pytest.fixture(scope="module")
def page(troubled: Report) -> str:
    return job.render(troubled)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    return Browser(browsers.find(), tmp_path_factory.mktemp("browser"))


class Markup(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            if name in ("href", "src", "xlink:href", "data", "action"):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_else(page: str) -> None:
    found = Markup(page)
    assert all(address.startswith(("#", "data:,")) for address in found.addresses)
    assert "@import" not in page
    assert re.findall(r"url\((?!#)", page) == []
    assert not {"script", "link rel=stylesheet", "iframe", "object", "embed"} & set(found.tags)
    assert len(page.encode()) < 400_000


def test_what_comes_from_the_job_is_data(page: str) -> None:
    found = Markup(page)
    assert (found.tags["script"], found.tags["img"], found.tags["b"]) == (0, 0, 0)
    # As a model, a value of a column, a reason of a run, a device.
    assert found.text.count(HOSTILE) >= 4


def test_every_id_is_there_once_and_every_link_leads_somewhere(page: str) -> None:
    found = Markup(page)
    assert [name for name, times in Counter(found.ids).items() if times > 1] == []
    targets = {address[1:] for address in found.addresses if address.startswith("#")}
    assert targets <= set(found.ids)


def test_the_page_tells_the_figures_of_the_report(troubled: Report, page: str) -> None:
    text = " ".join(Markup(page).text.split())
    counts = troubled.counts
    assert f"{counts.answered} answered" in text
    assert f"{counts.failed} failed" in text
    for failure in troubled.failures:
        assert f"{failure.kind}: {failure.rows} row" in text
        assert failure.advice in text
    assert "engine died: scripted after 70 answers" in text
    for name in ("throughput", "phases", "chunks", "attribution", "failures", "runs", "limit"):
        assert "<svg" in page.split(f'id="figure-{name}"')[1].split("</figure>", maxsplit=1)[0]


def test_the_same_report_is_the_same_page(troubled: Report, page: str) -> None:
    assert job.render(troubled) == page


def test_a_job_that_has_little_to_tell(tmp_path: Path) -> None:
    """One run, one row, no price: a figure that has no data says why."""
    report = read(work(tmp_path, rows(1), cost={}))
    shown = job.render(report)
    text = " ".join(Markup(shown).text.split())
    assert "no price given" in text
    assert "No figure: no earlier run of this job did work." in text
    assert "No row failed." in text
    assert "USD" not in text.replace("cost, USD", "")


def test_the_page_of_a_folder_shows_all_columns(browser: Browser, tmp_path: Path) -> None:
    for name, currency in (
        ("nightly/some-long-name-of-a-job-that-nobody-types", "USD"),
        ("b", "EUR"),
    ):
        (tmp_path / name).mkdir(parents=True)
        for price in ("USD", currency):
            cost = {"price_per_hour": 2.5, "currency": price}
            work(tmp_path / name, rows(60 if price == "USD" else 80), cost=cost)
    seen = folder_report.build(tmp_path, finder.find_below(tmp_path))
    shown = folder_page.render(seen)
    assert {len(line.spent.amounts) for line in seen.jobs if line.spent} == {1, 2}
    measured = browser.measured(shown, width=WIDTH)
    assert (measured["scroll_width"], max(measured["hidden"])) == (WIDTH, 0)
    drawn = shown.split("</desc>")[0].split("<desc")[1].replace(" ", "\N{NO-BREAK SPACE}")
    told = re.findall(r"USD.[\d.]+", drawn)
    assert len(told) == 2
    table = shown.split("<tbody>")[1]
    assert all(amount in table for amount in told)


def test_a_run_that_never_started_its_engine(tmp_path: Path) -> None:
    report = read(work(tmp_path, rows(3), engine={"start_error": "no device"}))
    text = " ".join(Markup(job.render(report)).text.split())
    assert "no device" in text
    assert "No figure: no run has saved a checkpoint yet." in text


def luminance(pixels: Any) -> Any:
    """Of pixels from 0 to 1, about as bright as they look."""
    return pixels @ [0.2126, 0.7152, 0.0722]


def cut(picture: Any, box: list[float]) -> Any:
    left, top, width, height = (round(value) for value in box)
    return picture[top : top + height, left : left + width].reshape(-1, 3)


@pytest.fixture(scope="module")
def measured(browser: Browser, page: str) -> dict[str, Any]:
    return browser.measured(page, width=WIDTH)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_follows_light_and_dark(
    browser: Browser, page: str, measured: dict[str, Any], *, dark: bool
) -> None:
    height = measured["height"]
    picture = browser.picture(page, f"dark-{dark}", width=WIDTH, height=height, dark=dark)
    bright = luminance(picture)
    ground = bright[:, :40]
    heading = bright[20:120, 60:900]
    assert ground.min() == ground.max()
    if dark:
        assert ground.max() < 0.1
        assert heading.max() > 0.8
    else:
        assert ground.min() > 0.9
        assert heading.min() < 0.2
    assert len(measured["drawings"]) >= 10
    for drawing in measured["drawings"]:
        pixels = (cut(picture, drawing["box"]) * 255).round().astype(int)
        colours = Counter(map(tuple, pixels.tolist()))
        (_, most), *others = colours.most_common()
        assert len(colours) >= 12, drawing["name"]
        # Neither blank nor one block of colour.
        assert sum(count for _, count in others) / len(pixels) > 0.01, drawing["name"]
        assert most / len(pixels) < 0.995, drawing["name"]


@pytest.mark.parametrize("width", [360, 400, 768, 1100, 1600])
def test_nothing_is_wider_than_the_screen(browser: Browser, page: str, width: int) -> None:
    found = browser.measured(page, width=width)
    assert found["width"] == width
    assert found["scroll_width"] <= width
    assert found["alerts"] == 0


def over(first: list[float], second: list[float]) -> float:
    """The overlap of two boxes in pixels, along the side where it is less."""
    across = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    down = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    return min(across, down)


@pytest.mark.parametrize("width", [360, 1100])
def test_no_label_is_cut_or_lies_over_another(browser: Browser, page: str, width: int) -> None:
    for drawing in browser.measured(page, width=width)["drawings"]:
        left, top, wide, high = drawing["box"]
        for text, (x, y, length, height) in drawing["texts"]:
            assert x >= left - 6 and x + length <= left + wide + 14, (drawing["name"], text)
            assert y >= top - 4 and y + height <= top + high + 4, (drawing["name"], text)
        for one, other in combinations(drawing["texts"], 2):
            # Boxes of letters are higher than the letters.
            assert over(one[1], other[1]) < 5, (drawing["name"], one[0], other[0])


def test_on_paper_the_page_is_white_and_all_data_is_open(
    browser: Browser, page: str, measured: dict[str, Any]
) -> None:
    assert set(measured["data"]) == {False}
    paper = page.replace("@media print {", "@media all {")
    found = browser.measured(paper, width=WIDTH)
    assert set(found["data"]) == {True}
    height = found["height"]
    picture = luminance(browser.picture(paper, "paper", width=WIDTH, height=height, dark=True))
    assert (picture == 1.0).mean() > 0.6
    assert picture[:120].min() < 0.1
    document = browser.folder / "page.pdf"
    browser.run(browser._page(page), f"--print-to-pdf={document}", width=WIDTH, height=900)
    assert document.read_bytes().startswith(b"%PDF-")


def test_the_browser_has_nothing_to_complain_of(browser: Browser, page: str) -> None:
    assert browser.complaints(page) == []
    assert browser.complaints(page.replace("</body>", "<script>1</script></body>")) != []


@pytest.fixture
def asked(page: str) -> Iterator[tuple[str, list[str]]]:
    """The address of a server of the page, and what it was asked for."""
    paths_asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths_asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", paths_asked
        server.shutdown()


def test_the_page_asks_the_network_for_nothing(
    browser: Browser, asked: tuple[str, list[str]]
) -> None:
    address, paths_asked = asked
    browser.run(address, "--dump-dom", width=WIDTH, height=900)
    assert paths_asked == ["/"]


def test_a_table_that_goes_on_is_shaded_at_that_side(browser: Browser) -> None:
    """On a telephone nothing else says so: its scroll bars are hidden."""
    cells = "".join(f"<td>cell {number}</td>" for number in range(20))
    tables = f'<div class="scroll"><table><tr>{cells}</tr></table></div>'
    tables += '<div class="scroll"><table><tr><td>x</td></tr></table></div>'
    whole = job.page("page.html.jinja", title="t").replace(
        "</body>", f"<main>{tables}</main></body>"
    )
    frame = browsers._FRAME.format(390, 300, html.escape(whole))
    bright = luminance(browser.picture(frame, "shade", width=500, height=400))
    left, right = 8 + 10, 8 + 390 - 10  # a margin of the frame, and one of the page
    wide, short = 8 + 4, 8 + 38
    assert bright[wide, right - 3] < 0.8
    assert bright[wide, left + 1] > 0.95
    assert bright[short, right - 3] > 0.95
