"""Do the worker and the gateway mean the same file? Every kind of audio file that one sends, the other takes."""

import pytest

from acestep_serverless.audio.formats import FORMATS
from acestep_serverless.contract.media import MEDIA_TYPES, suffix_of, suffix_of_file
from acestep_serverless.contract.music_fields import AUDIO_FORMATS
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


@pytest.mark.parametrize(
    ("url", "media_type", "suffix"),
    [
        ("/v1/audio?path=%2Fsrv%2Facestep%2Fapi_audio%2F0a.opus", "audio/mpeg", "opus"),
        ("/v1/audio?filename=song-1.M4A", "application/octet-stream", "m4a"),
        ("https://songs.example/a.flac?signature=x.y", "audio/mpeg", "flac"),
        ("/v1/audio?path=song", "audio/mpeg", "mp3"),
        ("/v1/audio?path=song.html", "audio/x-wav", "wav"),
        ("/v1/audio?path=song.exe", "application/octet-stream", None),
    ],
)
def test_a_file_is_what_its_name_says_before_what_its_type_says(url: str, media_type: str, suffix: str | None) -> None:
    """Upstream's server calls its opus and aac files audio/mpeg."""
    assert suffix_of_file(url, media_type) == suffix


def test_what_a_job_may_ask_for_is_what_can_be_written() -> None:
    assert tuple(FORMATS) == AUDIO_FORMATS
    assert {row.suffix.removeprefix(".") for row in FORMATS.values()} <= set(SUFFIXES)
