"""A real browser for the pages that we write: what it paints, measures and complains about."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
)
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
_CONSOLE = re.compile(r"^.*CONSOLE.*$", re.MULTILINE)

# Runs in a copy of the page, whose policy would not let it.
_MEASURE = """
<script>
addEventListener("load", () => {
  const box = (each) => {
    const found = each.getBoundingClientRect();
    return [found.left + scrollX, found.top + scrollY, found.width, found.height];
  };
  const shown = (each) => each.getBoundingClientRect().width > 0;
  const drawings = [...document.querySelectorAll("svg")].filter(shown);
  const values = {
    width: innerWidth,
    scroll_width: document.documentElement.scrollWidth,
    height: document.documentElement.scrollHeight,
    hidden: [...document.querySelectorAll(".scroll")].map((e) => e.scrollWidth - e.clientWidth),
    drawings: drawings.map((each) => ({
      name: each.querySelector("title").textContent,
      box: box(each),
      texts: [...each.querySelectorAll("text")].map((text) => [text.textContent, box(text)]),
    })),
    data: [...document.querySelectorAll("details table")].map((each) => each.checkVisibility()),
    alerts: document.querySelectorAll("script").length - 1,
  };
  const note = parent.document.createElement("pre");
  note.id = "measured";
  note.textContent = JSON.stringify(values);
  parent.document.body.append(note);
});
</script>
"""
# No window is narrower than 500 pixels, a frame may be.
_FRAME = '<!doctype html><body><iframe style="width: {}px; height: {}px; border: 0" srcdoc="{}">'
_NOTE = re.compile(r'<pre id="measured">(.*?)</pre>', re.DOTALL)


def find() -> str:
    """The program; the test is skipped where there is none."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    return found


@dataclass(frozen=True)
class Browser:
    """Chromium without a window; each call is a process with a profile of its own."""

    program: str
    folder: Path

    def run(self, page: str, *flags: str, width: int, height: int, dark: bool = False) -> str:
        """Load a file, or what has an address; what the browser says on stdout."""
        return self._done(page, *flags, width=width, height=height, dark=dark).stdout

    def _done(
        self, page: str, *flags: str, width: int, height: int, dark: bool = False
    ) -> "subprocess.CompletedProcess[str]":
        profile = self.folder / "profile"
        shutil.rmtree(profile, ignore_errors=True)
        return subprocess.run(
            [
                self.program,
                *_FLAGS,
                f"--user-data-dir={profile}",
                f"--window-size={width},{height}",
                f"--blink-settings=preferredColorScheme={0 if dark else 1}",
                *flags,
                page,
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )

    def picture(self, html: str, name: str, *, width: int, height: int, dark: bool = False) -> Any:
        """The page as pixels: an array of height x width x 3, each from 0 to 1."""
        from matplotlib.image import imread

        picture = self.folder / f"{name}.png"
        page = self._page(html)
        self.run(page, f"--screenshot={picture}", width=width, height=height, dark=dark)
        return imread(picture)[:, :, :3]

    def complaints(self, html: str, *, width: int = 1100, height: int = 900) -> list[str]:
        """The lines of the page on the browser's console."""
        flags = ("--enable-logging=stderr", "--dump-dom")
        done = self._done(self._page(html), *flags, width=width, height=height)
        return _CONSOLE.findall(done.stderr)

    def measured(self, html: str, *, width: int, height: int = 900) -> dict[str, Any]:
        """Sizes and places of the page and of its drawings, in CSS pixels."""
        copy = _POLICY.sub("", html).replace("</body>", f"{_MEASURE}</body>")
        frame = _FRAME.format(width, height, escape(copy))
        dom = self.run(self._page(frame), "--dump-dom", width=width, height=height)
        note = _NOTE.search(dom)
        assert note is not None, dom[-500:]
        values: dict[str, Any] = json.loads(unescape(note.group(1)))
        return values

    def _page(self, html: str) -> str:
        path = self.folder / "page.html"
        path.write_text(html, encoding="utf-8")
        return path.as_uri()
