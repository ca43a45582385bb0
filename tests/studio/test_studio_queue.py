"""Does the page follow what happens? Jobs that a test makes by hand: waiting, progress, reload, cancel, tabs, songs."""

import re
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect
from studio_house import BY_HAND, until

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.audio.decode import decode

LRC = "[ti:none]\n[00:00.50]The kettle hums\n[00:04.00]The street is white\n[00:06.00]Carry me home\n"


def submit(page: Page, words: str) -> str:
    """Compose in the page; gives the job's id."""
    page.fill("#field-caption", words)
    with page.expect_response(lambda answer: answer.url.endswith("/run")) as answered:
        page.click("#make")
    return answered.value.json()["id"]


def job(page: Page, words: str):
    return page.locator(".job", has_text=words)


def test_a_job_is_followed_over_a_reload_and_cancelled(studio, served, hand):
    page = studio.open(BY_HAND)
    first, second = submit(page, "A march for the first in line"), submit(page, "A waltz for the second in line")
    expect(job(page, "A march").locator(".job-state")).to_contain_text(re.compile("Next in the queue|Number 1"))
    expect(job(page, "A waltz").locator(".job-state")).to_contain_text("Number 2 in the queue")
    assert hand.take() == first
    hand.progress(first, 0.42, "rendering")
    expect(job(page, "A march").locator(".job-state")).to_contain_text("42 % · rendering")
    assert job(page, "A march").locator("progress").get_attribute("value") == "0.42"
    page.reload()
    expect(job(page, "A march").locator(".job-state")).to_contain_text("42 % · rendering")
    hand.progress(first, 0.8, "mastering")
    expect(job(page, "A march").locator(".job-state")).to_contain_text("80 % · mastering")
    job(page, "A march").get_by_role("button", name="Cancel").click()
    expect(job(page, "A march").locator(".job-state")).to_have_text("Cancelled")
    assert served.status(first)["status"] == "CANCELLED"
    expect(job(page, "A waltz").locator(".job-state")).to_contain_text(re.compile("Next in the queue|Number 1"))
    assert served.status(second)["status"] == "IN_QUEUE"


def test_a_failed_job_says_why_and_is_tried_again_or_edited(studio, served, hand):
    page = studio.open(BY_HAND)
    failing = submit(page, "A tango that falls over")
    page.fill("#field-caption", "something else already")
    assert hand.take() == failing
    hand.fail(failing, "bpm: must be a whole number from 30 to 300, got 7; duration: must be shorter here, got 90")
    card = job(page, "A tango")
    expect(card.locator(".job-error")).to_contain_text("bpm: must be a whole number")
    expect(page.locator("[data-field=bpm] .problem")).to_be_hidden()
    card.get_by_role("button", name="Edit").click()
    expect(page.locator("#field-caption")).to_have_value("A tango that falls over")
    expect(page.locator("[data-field=bpm] .problem")).to_have_text("Must be a whole number from 30 to 300, got 7")
    expect(page.locator("[data-field=duration] .problem")).to_have_text("Must be shorter here, got 90")
    expect(page.locator("#form-problem")).to_have_text("2 fields need another look.")
    card.get_by_role("button", name="Try again").click()
    expect(card.locator(".job-state")).to_contain_text("queue")
    assert served.status(failing)["status"] == "IN_QUEUE"


def test_two_tabs_show_the_same_and_only_one_of_them_plays(studio, hand):
    one, other = studio.open(BY_HAND), studio.open(BY_HAND)
    wanted = submit(one, "A duet in two windows")
    expect(job(other, "A duet")).to_be_visible()
    one.click("#theme")
    expect(other.locator("html")).to_have_attribute("data-theme", "dark")
    hand.take()
    hand.deliver(wanted, "A duet in two windows", seconds=30)
    for page in (one, other):
        expect(page.locator(".song", has_text="A duet")).to_be_visible()
    expect(one.locator(".song.playing")).to_have_count(1)
    other.locator(".song", has_text="A duet").get_by_role("button", name="Play").click()
    expect(other.locator(".song.playing")).to_have_count(1)
    expect(one.locator(".song.playing")).to_have_count(0)


def test_lyrics_follow_the_song_and_a_line_leads_to_its_second(studio, hand):
    page = studio.open(BY_HAND, loop=True)
    wanted = submit(page, "A song with timed words")
    hand.take()
    hand.deliver(wanted, "A song with timed words", lrc=LRC)
    expect(page.locator(".sheet .line[aria-current]")).to_have_text("The kettle hums")
    page.get_by_role("button", name="Carry me home").click()
    expect(page.locator(".sheet .line[aria-current]")).to_have_text("Carry me home")
    expect(page.locator(".player-time")).to_contain_text(re.compile("0:0[67] / 0:08"))
    expect(page.locator(".sheet .line[aria-current]")).to_have_text("The kettle hums")  # It loops.


def sent(card):
    """The samples of a song's file (mono, 48 kHz), as the page's own download button saves it."""
    with card.page.expect_download() as download:
        card.get_by_role("button", name="Download").click()
    return decode(Path(download.value.path())).samples[0]


def alike(one, other, *seconds: float) -> float:
    """The correlation of a stretch of two songs: 1.0 where they are the same, whatever their loudness."""
    span = slice(*(round(second * SAMPLE_RATE) for second in seconds))
    return float(np.corrcoef(one[span], other[span])[0, 1])


def test_what_live_workers_can_do_is_offered_and_a_song_is_repainted_and_covered(studio, served, hand, editor):
    page = studio.open(BY_HAND, autoplay=False)
    lego, extract = (page.locator(f"#field-task_type option[value={task}]") for task in ("lego", "extract"))
    expect(lego).to_be_disabled()
    expect(lego).to_have_text("lego: only with the model tracks")
    expect(extract).to_have_text("extract: no worker here does it")
    page.locator("summary", has_text="Seed and file").click()
    page.fill("#field-model", "tracks")
    expect(lego).to_be_enabled()
    page.fill("#field-model", "")
    expect(lego).to_be_disabled()

    wanted = submit(page, "A tune with a weak bar")
    page.focus("#field-caption")
    assert hand.take() == wanted  # Of this worker nothing is known, so it may do everything.
    expect(extract).to_be_enabled()
    expect(lego).to_have_text("lego")
    hand.deliver(wanted, "A tune with a weak bar")
    hand.leave()
    expect(extract).to_be_disabled()
    expect(page.locator("#field-caption")).to_be_focused()
    expect(page.locator("#field-audio_format")).to_be_visible()
    card = page.locator(".song", has_text="A tune with a weak bar")
    card.scroll_into_view_if_needed()  # Before it is seen no wave is drawn.
    expect(card.locator(".wave.drawn")).to_have_count(1)
    card.get_by_role("button", name="Repaint: ").click()
    box = card.locator(".wave").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20, steps=4)
    page.mouse.up()
    expect(card.locator(".span-said")).to_have_text("0:02 to 0:04, 2.0 s")
    card.get_by_label("To (s)").fill("5")
    expect(card.locator(".span-said")).to_have_text("0:02 to 0:05, 3.0 s")
    card.get_by_role("button", name="Repaint this span").click()
    file = served.status(wanted)["output"]["results"][0]["file"]
    values = {name: page.locator(f"#field-{name}").input_value() for name in ("task_type", "src_audio")}
    assert values == {"task_type": "repaint", "src_audio": file}
    expect(page.locator("#field-task_type")).to_be_visible()

    old = sent(card)
    page.select_option("#field-audio_format", "wav")
    repainted, covered = "A tune with a strong bar", "A tune in other colours"
    submit(page, repainted)
    editor.make()
    new = sent(page.locator(".song", has_text=repainted))
    assert len(new) == len(old)
    assert alike(old, new, 0, 1.9) > 0.99 < alike(old, new, 5.1, 8)
    assert abs(alike(old, new, 2.1, 4.9)) < 0.1
    page.select_option("#field-task_type", "cover")
    for end in ("start", "end"):
        page.fill(f"#field-repainting_{end}", "")
    submit(page, covered)
    editor.make()
    cover = sent(page.locator(".song", has_text=covered))
    assert abs(alike(old, cover, 0, 8)) < 0.1
    assert alike(abs(old), abs(cover), 0, 8) > 0.3


def test_words_in_place_of_a_song_are_shown_and_can_be_gone_on_with(studio, hand):
    page = studio.open(BY_HAND)
    wanted = submit(page, "Describe me")
    hand.take()
    metas = {"bpm": 88, "keyscale": "E minor", "timesignature": "N/A"}
    found = {
        "analysis": "full_analysis_only",
        "prompt": "A ballad on a nylon guitar",
        "lyrics": "[Verse]\nla",
        "metas": metas,
    }
    hand.tell(wanted, {"output": {"task_id": "t", "status": "completed", "results": [found]}})
    card = page.locator(".analysis", has_text="A ballad on a nylon guitar")
    expect(card.locator("h3")).to_have_text("A song in words")
    card.get_by_role("button", name="Compose with these words").click()
    filled = [page.locator(f"#field-{name}").input_value() for name in ("caption", "lyrics", "bpm", "key_scale")]
    assert filled == ["A ballad on a nylon guitar", "[Verse]\nla", "88", "E minor"]


def test_whatever_comes_from_outside_stays_text(studio, served, hand):
    words = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    page = studio.open(BY_HAND, autoplay=False)
    wanted = served.run(caption=words)
    hand.take()
    hand.deliver(wanted, words, lyrics=words, dit_model=words, metas={"genres": words, "keyscale": words, "bpm": words})
    card = page.locator(".song", has_text="onerror")
    expect(card.locator("h3")).to_have_text(words)
    card.locator("summary").click()
    assert page.locator(".song img, .song script, .job img").count() == 0


def test_a_gateway_that_is_away_is_said_and_asked_ever_more_rarely(studio, hand):
    page = studio.open(BY_HAND)
    expect(page.locator("#glance")).to_contain_text("waiting")
    studio.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('online')); document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#banner")).to_contain_text("the gateway does not answer. Trying again")
    studio.context.set_offline(False)
    expect(page.locator("#banner")).to_be_hidden()


def test_a_page_that_nobody_sees_asks_nothing(studio, served, hand):
    page = studio.open(BY_HAND)
    submit(page, "A song while nobody looks")
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    looked = page.evaluate(
        """async () => {
            const looks = () => performance.getEntriesByType("resource").length;
            let before = -1;
            for (let round = 0; round < 20 && before !== looks(); round += 1) {
                before = looks();
                await new Promise((resolve) => setTimeout(resolve, 1500));
            }
            return [before, looks()];
        }"""
    )
    assert looked[0] == looked[1]
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    until(page, "before => performance.getEntriesByType('resource').length > before", looked[1])
