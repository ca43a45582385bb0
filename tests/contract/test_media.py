"""Do the worker and the gateway mean the same file? Every kind of audio file that one sends, the other takes."""

import pytest

from acestep_serverless.contract.media import MEDIA_TYPES, suffix_of
from acestep_serverless.jobs.shelf import SUFFIXES


@pytest.mark.parametrize(
    ("media_type", "suffix"),
    [
        ("audio/mpeg", "mp3"),
        ("audio/wav", "wav"),
        ("audio/x-wav", "wav"),
        ("audio/flac", "flac"),
        ("audio/ogg", "opus"),
        ("audio/opus", "opus"),
        ("audio/aac", "aac"),
        ("audio/mp4", "m4a"),
    ],
)
def test_every_media_type_has_a_suffix_that_the_shelf_files(media_type: str, suffix: str) -> None:
    assert suffix_of(media_type) == suffix
    assert suffix in SUFFIXES


def test_an_unknown_media_type_has_none() -> None:
    assert suffix_of("text/html") is None


def test_suffix_and_media_type_lead_to_each_other() -> None:
    """But for ogg: the registered type of opus files names their container, and opus is what is made here."""
    assert {suffix: suffix_of(media_type) for suffix, media_type in MEDIA_TYPES.items() if suffix != "ogg"} == {
        suffix: suffix for suffix in MEDIA_TYPES if suffix != "ogg"
    }
    assert MEDIA_TYPES["opus"] == MEDIA_TYPES["ogg"] == "audio/ogg"
