"""Files keep what the clip holds: its length, its level, its tags; and the same clip is always the same file."""

import re
from pathlib import Path

import av
import numpy as np
import pytest

from acestep_serverless.audio import segments
from acestep_serverless.audio.clip import Clip
from acestep_serverless.audio.codec import encode
from acestep_serverless.audio.decode import decode, probe
from acestep_serverless.audio.formats import FORMATS
from acestep_serverless.audio.loudness import integrated_loudness, true_peak
from acestep_serverless.audio.tags import song_tags
from acestep_serverless.contract.media import MEDIA_TYPES, suffix_of
from acestep_serverless.errors import AudioError, GenerationCancelled

RATE = 48_000
TAGS = {"title": "Söng", "artist": "sketch", "comment": "a caption"}
# How far samples may be off, relative to full scale: 16 bits, none, 24 bits, and what 160 to 192 kbit/s do to a tone.
TOLERANCE = {"wav": 2 / 2**15, "wav32": 0.0, "flac": 2 / 2**23, "mp3": 0.03, "opus": 0.03, "aac": 0.03}
# How far the true peak of music may be off in dB; its loudness is 0.15 LU lower at most: noise loses its top.
PEAK_TOLERANCE = {"wav": 0.01, "wav32": 0.0, "flac": 0.001, "mp3": 1.0, "opus": 1.0, "aac": 1.0}


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
    assert back.samples.shape == (2, clip.samples.shape[1])
    assert np.abs(back.samples - clip.samples).max() <= TOLERANCE[audio_format]
    assert np.sqrt(np.mean(back.samples**2)) == pytest.approx(np.sqrt(np.mean(clip.samples**2)), rel=0.005)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_loudness_and_peak_of_music_stay(tmp_path: Path, audio_format: str) -> None:
    clip = music(6)
    encode(clip, tmp_path / "song", audio_format, TAGS)
    back = decode(tmp_path / "song")
    assert abs(integrated_loudness(back) - integrated_loudness(clip)) <= 0.2
    assert abs(true_peak(back) - true_peak(clip)) <= PEAK_TOLERANCE[audio_format]


@pytest.mark.parametrize("audio_format", FORMATS)
def test_suffix_and_media_type_of_a_format_say_what_is_in_its_files(tmp_path: Path, audio_format: str) -> None:
    row = FORMATS[audio_format]
    assert row.media_type == MEDIA_TYPES[row.suffix[1:]]
    assert suffix_of(row.media_type) == row.suffix[1:]
    encode(tone(1), tmp_path / "song", audio_format, {})
    facts = probe(tmp_path / "song")
    expected = {
        "mp3": ("mp3", "mp3"),
        "wav": ("wav", "pcm_s16le"),
        "wav32": ("wav", "pcm_f32le"),
        "flac": ("flac", "flac"),
        "opus": ("ogg", "opus"),
        "aac": ("mp4", "aac"),
    }
    assert (facts.container, facts.codec) == expected[audio_format]


def test_a_float_file_keeps_what_is_over_full_scale(tmp_path: Path) -> None:
    loud = Clip(tone(1).samples * np.float32(5))
    encode(loud, tmp_path / "song.wav", "wav32", {})
    assert np.array_equal(decode(tmp_path / "song.wav").samples, loud.samples)


def test_an_m4a_can_be_played_before_it_is_there(tmp_path: Path) -> None:
    encode(tone(1), tmp_path / "song.m4a", "aac", {})
    content = (tmp_path / "song.m4a").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


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
def test_title_engine_and_seed_can_be_read_from_the_file(tmp_path: Path, audio_format: str) -> None:
    encode(tone(1), tmp_path / "song", audio_format, song_tags("Söng; = 歌", "sketch", 4_294_967_295))
    with av.open(str(tmp_path / "song")) as container:
        found = {**container.metadata, **container.streams[0].metadata}
    found = {key.lower(): value for key, value in found.items()}
    assert found["title"] == "Söng; = 歌"
    assert found["comment"] == "made by the sketch engine, seed 4294967295"
    own_names = (None, None) if audio_format in ("wav", "wav32", "aac") else ("sketch", "4294967295")
    assert (found.get("engine"), found.get("seed")) == own_names


def test_an_mp3_has_the_bit_rate_it_says(tmp_path: Path) -> None:
    encode(music(10), tmp_path / "song.mp3", "mp3", {})
    assert (tmp_path / "song.mp3").stat().st_size == pytest.approx(192_000 / 8 * 10, rel=0.02)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_a_cancelled_file_never_appears_and_an_old_one_stays(tmp_path: Path, audio_format: str) -> None:
    (tmp_path / "song").write_bytes(b"old")
    with pytest.raises(GenerationCancelled):
        encode(tone(5), tmp_path / "song", audio_format, {}, cancelled=lambda: True)
    assert [path.name for path in tmp_path.iterdir()] == ["song"]
    assert (tmp_path / "song").read_bytes() == b"old"


def test_unknown_formats_and_refused_rates_say_so_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="one of mp3, wav, wav32, flac, opus, aac, got 'ogg'"):
        encode(tone(1), tmp_path / "song", "ogg", {})
    with pytest.raises(AudioError, match="as mp3"):
        encode(Clip(tone(1).samples, 12_345), tmp_path / "song", "mp3", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "samples", [np.zeros((3, 8), np.float32), np.zeros((2, 8)), np.full((2, 8), np.nan, np.float32)]
)
def test_a_clip_refuses_what_is_not_sound(samples: np.ndarray) -> None:
    with pytest.raises(AudioError):
        Clip(samples)
