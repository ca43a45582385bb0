"""Does docs/api.md say what may be sent as audio, and within which bounds? Its table and numbers are the code's."""

from documents import read, table

from acestep_serverless.audio.readable import LONGEST_SECONDS as LONGEST_SOUND
from acestep_serverless.contract.music_fields import PARAMETER_TEXT_MAXIMUM, TEXT_MAXIMUM
from acestep_serverless.contract.music_sources import AudioAtUrl, AudioInline, AudioOfJob, read_source
from acestep_serverless.contract.music_tasks import TASKS
from acestep_serverless.outbound.fetching import LARGEST_FILE, LONGEST_SECONDS, MOST_REDIRECTS

API = "docs/api.md"
FILLED = {"https://...": "https://example.org/a.wav", "base64 alone": "AAAA" * 20}


def test_every_form_of_the_table_is_read_as_what_it_says() -> None:
    forms = [row[0].strip("`") for row in table(API, "Form")]
    read_as = [type(read_source(FILLED.get(form, form.replace("...", "AAAA" * 20)))) for form in forms]
    assert read_as == [AudioAtUrl, AudioInline, AudioInline, AudioOfJob]


def test_the_bounds_of_fetching_and_of_texts_are_the_codes() -> None:
    text = " ".join(read(API).split())
    assert f"at most {MOST_REDIRECTS} redirects, {LARGEST_FILE:,} bytes and {LONGEST_SECONDS:g} s in all" in text
    assert f"of at most {LONGEST_SOUND / 60:g} minutes" in text
    assert (
        f"more than {TEXT_MAXIMUM:,} characters of caption or lyrics, or {PARAMETER_TEXT_MAXIMUM:,} of another" in text
    )
    assert all(f"`{name}`" in text for name, task in TASKS.items() if task.source)
