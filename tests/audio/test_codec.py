"""Files keep what the clip holds: its length, its level, its tags; and the same clip is always the same file."""

import re
from pathlib import Path

import av
import numpy as np
import pytest

from acestep_serverless.audio import segments
from acestep_serverless.audio.clip import Clip
from acestep_serverless.audio.codec import decode, encode
from acestep_serverless.audio.formats import FORMATS
from acestep_serverless.errors import AudioError, GenerationCancelled

RATE = 48_000
TAGS = {"title": "Söng", "artist": "sketch", "comment": "a caption"}
# How far samples may be off, relative to full scale: 16 bits, 24 bits, 192 kbit/s of a pure tone.
TOLERANCE = {"wav": 2 / 2**15, "flac": 2 / 2**23, "mp3": 0.03}


def tone(seconds: float, channels: int = 2) -> Clip:
    time = np.arange(round(seconds * RATE)) / RATE
    fade = np.minimum(1, np.minimum(time, seconds - time) * 20)
    return Clip(np.tile((0.3 * fade * np.sin(2 * np.pi * 440 * time)).astype(np.float32), (channels, 1)))


def music(seconds: float) -> Clip:
    chance = np.random.default_rng(3)
    time = np.arange(round(seconds * RATE)) / RATE
    noise = chance.normal(0, 0.1, (2, time.size)) * np.exp(-((time * 4) % 1) * 6)
    return Clip((noise + 0.2 * np.sin(2 * np.pi * 110 * time)).astype(np.float32))


@pytest.mark.parametrize("audio_format", FORMATS)
@pytest.mark.parametrize(("seconds", "channels"), [(1.0, 2), (3.3333, 1), (12.5, 2)])
def test_a_file_gives_back_the_clip(tmp_path: Path, audio_format: str, seconds: float, channels: int) -> None:
    clip = tone(seconds, channels)
    path = tmp_path / f"song{FORMATS[audio_format].suffix}"
    encode(clip, path, audio_format, TAGS)
    back = decode(path)
    assert back.samples.shape == clip.samples.shape
    assert back.sample_rate == RATE
    assert np.abs(back.samples - clip.samples).max() <= TOLERANCE[audio_format]
    assert np.sqrt(np.mean(back.samples**2)) == pytest.approx(np.sqrt(np.mean(clip.samples**2)), rel=0.005)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_the_same_clip_and_tags_are_the_same_bytes_and_other_tags_are_not(tmp_path: Path, audio_format: str) -> None:
    for name, tags in (("first", TAGS), ("second", TAGS), ("third", {"title": "other"})):
        encode(music(2), tmp_path / name, audio_format, tags)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    assert (tmp_path / "first").read_bytes() != (tmp_path / "third").read_bytes()


@pytest.mark.parametrize("audio_format", FORMATS)
def test_no_version_of_the_encoder_is_in_the_file(tmp_path: Path, audio_format: str) -> None:
    encode(tone(1), tmp_path / "song", audio_format, {})
    assert re.search(rb"Lav[cf]\d", (tmp_path / "song").read_bytes()) is None


def test_segments_side_by_side_make_the_bytes_of_one_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = music(25)
    encode(clip, tmp_path / "side by side", "mp3", TAGS)
    monkeypatch.setattr(segments, "SEGMENT_FRAMES", 10_000)
    encode(clip, tmp_path / "alone", "mp3", TAGS)
    assert (tmp_path / "side by side").read_bytes() == (tmp_path / "alone").read_bytes()


@pytest.mark.parametrize("audio_format", FORMATS)
def test_tags_are_in_the_file(tmp_path: Path, audio_format: str) -> None:
    encode(tone(1), tmp_path / "song", audio_format, {"title": "Söng"})
    with av.open(str(tmp_path / "song")) as container:
        found = {key.lower(): value for key, value in container.metadata.items()}
    assert found.get("title") == "Söng"


def test_an_mp3_has_the_bit_rate_it_says(tmp_path: Path) -> None:
    encode(music(10), tmp_path / "song.mp3", "mp3", {})
    assert (tmp_path / "song.mp3").stat().st_size == pytest.approx(192_000 / 8 * 10, rel=0.02)


def test_a_cancelled_file_never_appears_and_an_old_one_stays(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(b"old")
    with pytest.raises(GenerationCancelled):
        encode(music(30), tmp_path / "song.mp3", "mp3", {}, cancelled=lambda: True)
    assert [path.name for path in tmp_path.iterdir()] == ["song.mp3"]
    assert (tmp_path / "song.mp3").read_bytes() == b"old"


def test_unknown_formats_and_refused_rates_say_so_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="one of mp3, wav, flac, got 'ogg'"):
        encode(tone(1), tmp_path / "song", "ogg", {})
    with pytest.raises(AudioError, match="as mp3"):
        encode(Clip(tone(1).samples, 12_345), tmp_path / "song", "mp3", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"", b"these are words, not sounds"])
def test_what_is_no_audio_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "notes.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioError, match=r"notes\.txt"):
        decode(path)


@pytest.mark.parametrize(
    "samples", [np.zeros((3, 8), np.float32), np.zeros((2, 8)), np.full((2, 8), np.nan, np.float32)]
)
def test_a_clip_refuses_what_is_not_sound(samples: np.ndarray) -> None:
    with pytest.raises(AudioError):
        Clip(samples)
