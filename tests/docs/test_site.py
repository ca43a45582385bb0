"""Do the pages become a site? Without a warning, with links that lead somewhere, and with nothing from another host."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from documents import ROOT

sys.path.insert(0, str(ROOT / "docs" / "generate"))
from parts import write_parts

LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "audio": "src",
    "video": "src",
    "link": "href",
}
"""What a browser fetches by itself, by tag and attribute; `a` is followed by people only."""


class Page(HTMLParser):
    """The ids of a built page, the links that people follow, and what a browser fetches for it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids.update(value for name, value in values.items() if name == "id")
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if LOADED.get(tag) in values:
            self.fetched.append(values[LOADED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it: every warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", str(folder / "doctrees")]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(folder / "html")], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    return {path.name: Page(path.read_text("utf-8")) for path in site.glob("*.html")}


def test_what_is_made_from_the_code_is_as_the_code_is() -> None:
    assert write_parts(check=True) == []  # `make docs` writes them anew


def test_every_page_is_built(pages: dict[str, Page]) -> None:
    sources = {f"{path.stem}.html" for path in (ROOT / "docs").glob("*.md")}
    assert sources - set(pages) == set()


def test_every_link_and_anchor_of_the_site_leads_somewhere(site: Path, pages: dict[str, Page]) -> None:
    lost = []
    for name, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in {"http", "https"}:
                continue
            target = unquote(parts.path) or name
            anchors = pages[target].ids if target in pages else set()
            if not (site / target).is_file() or (parts.fragment and unquote(parts.fragment) not in anchors):
                lost.append(f"{name}: {link}")
    assert lost == []


def test_no_page_asks_another_host_for_anything(site: Path, pages: dict[str, Page]) -> None:
    assert [(name, url) for name, page in pages.items() for url in page.fetched if urlsplit(url).netloc] == []
    for sheet in site.rglob("*.css"):
        urls = re.findall(r"url\(\s*['\"]?([^'\")]*)|@import\s+['\"]([^'\"]*)", sheet.read_text("utf-8"))
        outside = [url for pair in urls for url in pair if urlsplit(url).netloc]
        assert outside == [], sheet.name


def test_the_front_page_leads_to_every_other_page(pages: dict[str, Page]) -> None:
    listed = {urlsplit(link).path for link in pages["index.html"].links}
    assert {name for name in pages if name not in {"index.html", "search.html", "genindex.html"}} - listed == set()
