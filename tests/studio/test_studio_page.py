"""Is the page fit for everybody? Eyes, ears, keyboards, phones; and does it keep a key and its own rules?"""

import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect
from studio_house import BY_HAND, until

from acestep_serverless.assembly.core import build, check_schema
from acestep_serverless.settings import Settings

KEY = "a-key-of-this-test"

QUIET = """document.getAnimations().every((one) => {
    return one.playState !== "running" || one.effect.getTiming().iterations === Infinity;
})"""
"""No colour is on its way to another: contrast is measured at rest."""


def problems(page: Page) -> list[str]:
    """What axe-core finds. It is handed to the page past its policy, as a browser's tools are."""
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def furnish(page: Page, served, hand) -> None:
    """Fill the page: a song that plays with timed words, a job in the works, one that waits, one that failed."""
    jobs = [served.run(caption=f"A room with {number} windows", duration=8) for number in range(4)]
    for job in jobs[:3]:
        assert hand.take() == job
    lines = "[00:00.00]The kettle hums\n[00:03.00]The street is white\n"
    hand.deliver(jobs[0], "A room with timed words", lrc=lines)
    hand.fail(jobs[1], "bpm: must be a whole number from 30 to 300, got 7")
    hand.progress(jobs[2], 0.5, "rendering")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    song = page.locator(".song", has_text="A room with timed words").first
    song.get_by_role("button", name="Play").click()
    expect(page.locator(".sheet .line[aria-current]")).to_have_count(1)
    song.locator("summary").click()
    expect(page.locator(".job[data-state=FAILED]").first).to_be_visible()
    expect(page.locator(".job-state", has_text="50 %")).to_be_visible()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing(watch, served, hand, colours):
    page = watch(color_scheme=colours).open(BY_HAND)
    expect(page.locator("html")).to_have_attribute("data-theme", colours)
    furnish(page, served, hand)
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    page.fill("#field-duration", "0")
    page.click("#make")
    expect(page.locator("[data-field=caption] .problem")).to_be_visible()
    until(page, QUIET)
    assert problems(page) == []


def test_a_phone_never_scrolls_sideways(watch, served, hand):
    page = watch(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, device_scale_factor=2).open(
        BY_HAND
    )
    furnish(page, served, hand)
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [360, 360]
    small = page.evaluate(
        """[...document.querySelectorAll("button")]
            .filter((button) => button.offsetParent && button.offsetHeight < 24)
            .map((button) => button.outerHTML)"""
    )
    assert small == []


def tab_to(page, name):
    """Go on by Tab until the element of this id has the focus; songs of other tests may lie on the way."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == name:
            return
    raise AssertionError(f"200 times Tab did not lead to {name}")


def test_everything_is_done_with_the_keyboard(studio, hand):
    page = studio.open(BY_HAND)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#songs")).to_be_focused()
    page.reload()
    page.wait_for_selector("html[data-ready]")
    tab_to(page, "field-caption")
    page.keyboard.type("A song by keys alone")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    tab_to(page, "make")
    page.keyboard.press("Enter")
    expect(page.locator(".job", has_text="A song by keys alone")).to_be_visible()
    expect(page.locator("#live")).to_contain_text("Queued")
    job = hand.take()
    hand.progress(job, 0.5, "rendering")
    expect(page.locator("#live")).to_contain_text("50 percent, rendering")
    hand.deliver(job, "A song by keys alone", seconds=20)
    expect(page.locator(".song.playing")).to_have_count(1)
    page.locator("#songs").focus()
    page.keyboard.press("Space")
    expect(page.locator(".song.playing")).to_have_count(0)
    slider = page.locator(".song", has_text="A song by keys alone").locator(".wave-slider")
    slider.focus()
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "0:20 of 0:20")


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[str]:
    """A gateway with a key, in this process."""
    settings = Settings.load(data_dir=tmp_path / "data", api_keys=KEY, workers=1, engine="sketch")
    check_schema(settings)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(build(settings, first_start=True), log_config=None, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join(60)
    with suppress(OSError):
        listening.close()


def test_a_key_is_asked_for_only_when_it_is_needed_and_stays_in_this_tab(closed, watch):
    watched = watch(closed)
    page = watched.context.new_page()
    page.goto(closed)
    expect(page.get_by_label("API key")).to_be_focused()
    assert problems(page) == []
    page.keyboard.type("no-such-key")
    page.keyboard.press("Enter")
    expect(page.locator("#key-problem")).to_contain_text("is not known here")
    page.get_by_label("API key").fill(KEY)
    page.keyboard.press("Enter")
    page.wait_for_selector("html[data-ready]")
    page.fill("#field-caption", "A song behind a key")
    page.click("#make")
    expect(page.locator(".job", has_text="A song behind a key")).to_be_visible()
    page.locator("#code summary").click()
    expect(page.locator("#code pre")).to_contain_text("Bearer $ACESTEP_KEY")
    kept = page.evaluate(
        """[
            JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage}),
            document.cookie, location.href, document.body.innerText,
        ]"""
    )
    assert [KEY in text for text in kept] == [False, True, False, False, False]
    assert not any(KEY in url for url in watched.asked)
    page.reload()
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("dialog[open]")).to_have_count(0)
    other = watched.context.new_page()
    other.goto(closed)
    expect(other.get_by_label("API key")).to_be_visible()


def test_an_open_gateway_asks_for_no_key(studio):
    expect(studio.open().locator("dialog[open]")).to_have_count(0)


def test_the_theme_is_the_systems_until_it_is_chosen(watch):
    watched = watch(color_scheme="dark")
    page = watched.open()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Switch to light colours").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    assert json.loads(page.evaluate("localStorage.getItem('studio.like.theme')")) == "light"


def test_whoever_wants_less_motion_gets_less(watch):
    page = watch(reduced_motion="reduce").open()
    assert page.evaluate("getComputedStyle(document.querySelector('#make')).transitionDuration") == "0.001s"


PICTURES = Path(__file__).parents[2] / "docs" / "images"


SHOWN = (("studio", "Song with words", (1280, 800), "light"), ("studio-phone", "Bossa at dusk", (390, 844), "dark"))
"""Each picture's name, the example that plays on it, its size in pixels and its colours."""


def test_the_pictures_of_the_readme_are_made(watch, served, tmp_path):
    """Into docs/images where the variable STUDIO_PICTURES says so, else into a folder that goes."""
    folder = PICTURES if os.environ.get("STUDIO_PICTURES") else tmp_path
    folder.mkdir(exist_ok=True)
    served.run("ace-step", caption="Deep techno, rolling bass, hypnotic percussion, warehouse", duration=6, seed=3)
    for name, example, (width, height), colours in SHOWN:
        page = watch(viewport={"width": width, "height": height}, color_scheme=colours).open("ace-step")
        page.get_by_role("button", name=example).click()
        page.fill("#field-duration", "12")
        page.click("#make")
        expect(page.locator(".song.playing .wave.drawn")).to_have_count(1)
        until(page, "document.querySelector('#player .slider').value > 60")
        expect(page.locator("#glance")).to_contain_text(re.compile("[1-9] made"))
        if "words" in example:  # Sung by the engine; the file with the seconds comes from the gateway.
            expect(page.locator(".sheet button.line").first).to_be_visible()
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=folder / f"{name}.png")
        page.close()
    sizes = [path.stat().st_size for path in folder.glob("*.png")]
    assert len(sizes) == 2
    assert all(10_000 < size < 300_000 for size in sizes)
