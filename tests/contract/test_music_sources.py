"""What may a request name as audio? URLs, base64 and earlier jobs' files are told apart, all else is refused."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from acestep_serverless.contract.music import parse_music_input
from acestep_serverless.contract.music_shown import LONGEST
from acestep_serverless.contract.music_sources import (
    LONGEST_TEXT,
    AudioAtUrl,
    AudioInline,
    AudioOfJob,
    read_source,
)
from acestep_serverless.errors import InputError

NAME = "03bd7ac45d0ef596b84175972252f9d657743f01.mp3"
SOUND = bytes(range(0, 256, 3)) + b"\xff\xfe"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("https://example.org/a.wav?X-Sig=a%2Fb", AudioAtUrl("https://example.org/a.wav?X-Sig=a%2Fb")),
        ("  HTTPS://Example.org/a ", AudioAtUrl("HTTPS://Example.org/a")),
        ("http://10.0.0.5:9000/a.wav", AudioAtUrl("http://10.0.0.5:9000/a.wav")),
        (f"/v1/audio?filename={NAME}", AudioOfJob(NAME)),
    ],
)
def test_a_url_and_the_file_of_an_earlier_job_are_told_apart(text: str, source: object) -> None:
    assert read_source(text) == source


@pytest.mark.parametrize(
    "prefix", ["data:audio/wav;base64,", "DATA:;Base64,", "data:audio/ogg;codecs=opus;base64,", ""]
)
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_decoded_with_or_without_a_data_uri_around_it(prefix: str, encode) -> None:
    text = encode(SOUND).decode()
    wrapped = "\r\n".join(text[start : start + 8] for start in range(0, len(text), 8))
    for body in (text, text.rstrip("="), wrapped):
        assert read_source(prefix + body) == AudioInline(SOUND)


@given(st.binary(min_size=44, max_size=200))
@example(b"\xff\xfb\x90d" * 11)
def test_every_sequence_of_bytes_comes_through_base64(data: bytes) -> None:
    assert read_source(base64.b64encode(data).decode()) == AudioInline(data)


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "=", "====", "data:,", "data:audio/wav;base64,", "data:audio/wav,%00%01", "data:audio/wav"),
        *("song.mp3", "../../etc/passwd", "/etc/passwd", "C:\\song.wav", "file:///etc/passwd", "ftp://h/a", "é"),
        *("/v1/audio", "/v1/audio?path=/etc/passwd", "/v1/audio?filename=", "/v1/audio?filename=../a.mp3"),
        *(f"/v1/audio?filename={NAME}&token=x", f"//evil/v1/audio?filename={NAME}", f"/v1/audio?filename=a/{NAME}"),
        *(
            f"/v1/audio?filename={NAME}\n/x",
            "/v1/audio?filename=%2e%2e",
            "//[",
            "A" * 58,
            "A" * 60 + "=A",
            "A" * 60 + "\u00e9",
            "A" * 61,
            "song",
        ),
        *("https://", "https:///a", "https://user:secret@example.org/a", "https://u@example.org/", "https://h:0/"),
        *("https://h:99999/", "https://[::1/a", "http://h/a b", "https://h/\x00", "https://h/" + "a" * 9000),
    ],
)
def test_everything_else_is_refused_in_one_sentence_that_shows_no_more_than_its_start(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_music_input({"caption": "x", "reference_audio": text})
    (problem,) = caught.value.problems
    assert problem.field == "reference_audio"
    assert problem.allowed.startswith("must ")
    assert len(problem.given) <= LONGEST


def test_a_text_longer_than_any_body_is_refused_by_its_length() -> None:
    assert isinstance(read_source("AAAA" * 1_000_000), AudioInline)
    with pytest.raises(ValueError, match="at most"):
        read_source("A" * (LONGEST_TEXT + 4))


@pytest.mark.parametrize("value", [5, True, [], {}, b"bytes", ["https://h/"]])
def test_audio_is_named_by_a_string(value: object) -> None:
    with pytest.raises(InputError, match="reference_audio: must be an https URL"):
        parse_music_input({"caption": "x", "reference_audio": value})
