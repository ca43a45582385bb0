"""One gateway for all tests of the page, a browser for each file of them; each test has a fresh context, watched."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from studio_editor import EditingWorker
from studio_house import PATIENCE, HandWorker, ServedStudio, browser_program

expect.set_options(timeout=PATIENCE * 1000)

LISTENS_FOR_VIOLATIONS = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(event.violatedDirective + " " + event.blockedURI);
});
"""


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedStudio]:
    served = ServedStudio(tmp_path_factory.mktemp("studio"))
    yield served
    served.close()


@pytest.fixture
def hand(served: ServedStudio) -> Iterator[HandWorker]:
    """A worker that does as the test says; what other tests left waiting is gone."""
    clear(served)
    hand = HandWorker(served)
    yield hand
    hand.leave()


@pytest.fixture
def editor(served: ServedStudio, tmp_path: Path) -> Iterator[EditingWorker]:
    """A worker that works on given sound, and has told so."""
    clear(served)
    editor = EditingWorker(served, tmp_path)
    yield editor
    editor.leave()


def clear(served: ServedStudio) -> None:
    for job in served.http.get("/v2/by-hand/requests").json()["requests"]:
        served.http.post(f"/v2/by-hand/cancel/{job['id']}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for each file: while Playwright's blocking interface is open, no asynchronous test runs in this process."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_program())
        yield browser
        browser.close()


class Watched:
    """A browser context of one test: opens pages, and notes what no page may do."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.url = url
        self.context: BrowserContext = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE * 1000)
        self.context.add_init_script(LISTENS_FOR_VIOLATIONS)
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.context.on("weberror", lambda error: self.errors.append(str(error.error)))
        self.context.on("console", lambda said: said.type == "error" and self.errors.append(said.text))

    def open(self, endpoint: str = "ace-step", **likings: object) -> Page:
        """Open the page at an endpoint, ready to use."""
        page = self.context.new_page()
        for name, value in {"endpoint": endpoint, **likings}.items():
            line = f"localStorage.setItem('studio.like.{name}', {json.dumps(json.dumps(value))})"
            page.add_init_script(f"localStorage.getItem('studio.like.{name}') ?? {line}")
        page.goto(self.url)
        page.wait_for_selector("html[data-ready]")
        return page

    def secrets(self) -> dict[str, list[str]]:
        """What is wrong with what the pages did: other hosts, broken policies, errors of their own."""
        violations = [one for page in self.context.pages for one in page.evaluate("window.violations ?? []")]
        strangers = [url for url in self.asked if not url.startswith((self.url, "blob:" + self.url))]
        errors = [one for one in self.errors if "401 (Unauthorized)" not in one and "ERR_INTERNET" not in one]
        return {"violations": violations, "strangers": strangers, "errors": errors}


@pytest.fixture
def watch(browser: Browser, served: ServedStudio) -> Iterator[Callable[..., Watched]]:
    """Open contexts; at the end of the test none of them may have asked another host or broken the page's policy."""
    opened: list[Watched] = []

    def start(url: str = "", **options: Any) -> Watched:
        opened.append(Watched(browser, url or served.url, **options))
        return opened[-1]

    yield start
    try:
        for watched in opened:
            assert watched.secrets() == {"violations": [], "strangers": [], "errors": []}
    finally:
        for watched in opened:
            watched.context.close()


@pytest.fixture
def studio(watch: Callable[..., Watched]) -> Watched:
    return watch()
