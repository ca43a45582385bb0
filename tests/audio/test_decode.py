"""Files from outside: what is sound becomes a clip, and what is cut is told apart from what is short."""

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import correlate
from sound_files import KINDS, chirp, written

from acestep_serverless.audio.decode import AudioFacts, decode, probe
from acestep_serverless.errors import AudioError


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_that_is_allowed_becomes_a_stereo_clip_at_48_khz(tmp_path: Path, name: str) -> None:
    *_, rate, (container, codec), tolerance = KINDS[name]
    clip = decode(written(tmp_path / name, chirp(rate)))
    assert (clip.samples.dtype, clip.samples.shape[0], clip.sample_rate) == (np.float32, 2, 48_000)
    assert clip.samples.shape[1] == 48_000 or container == "adts"
    ours = chirp(48_000)[0]
    start = int(np.argmax(correlate(clip.samples[0], ours[12_000:24_000], "valid"))) - 12_000
    assert 0 <= start <= (1_024 if container == "adts" else 1)  # ADTS cannot say how much of its start is padding
    heard = clip.samples[0][start + 12_000 : start + 36_000]
    assert np.abs(heard - ours[12_000:36_000]).max() <= tolerance
    facts = probe(tmp_path / name)
    assert facts == AudioFacts(facts.seconds, rate, 2, container, codec)
    assert abs(facts.seconds - 1) <= 0.1


def test_one_channel_becomes_two_and_six_are_mixed_down(tmp_path: Path) -> None:
    mono = decode(written(tmp_path / "song.wav", chirp(44_100, channels=1), "mono")).samples
    assert np.abs(mono[0] - chirp(48_000)[0]).max() < 0.001
    assert np.array_equal(mono[0], mono[1])
    surround = np.zeros((6, 48_000), np.float32)
    surround[2] = chirp(48_000)[0]  # the centre
    both = decode(written(tmp_path / "float.wav", surround, "5.1")).samples
    assert np.abs(both - chirp(48_000) * np.sqrt(0.5)).max() < 0.001


def test_resampling_leaves_nothing_but_the_tone(tmp_path: Path) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 9_000 * np.arange(22_050) / 22_050)
    heard = decode(written(tmp_path / "song.flac", np.tile(tone.astype(np.float32), (2, 1)))).samples[0]
    levels = np.abs(np.fft.rfft(heard[4_800:43_200] * np.hanning(38_400)))
    others = np.concatenate((levels[:7_100], levels[7_300:]))  # 1.25 Hz each, 9 kHz is the 7,200th
    assert others.max() < levels[7_200] * 10 ** (-80 / 20)


def test_samples_come_at_the_rate_that_is_asked_for(tmp_path: Path) -> None:
    clip = decode(written(tmp_path / "song.flac", chirp(22_050)), sample_rate=16_000)
    assert (clip.sample_rate, clip.samples.shape) == (16_000, (2, 16_000))


@pytest.mark.parametrize("name", ["float.wav", "song.flac", "song.m4a", "song.webm", "song.aiff"])
def test_a_cut_file_is_refused_where_its_container_says_its_length(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, chirp(KINDS[name][3], 2.0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for read in (probe, decode):
        with pytest.raises(AudioError, match=r"is cut|cannot be read"):
            read(path)


@pytest.mark.parametrize("name", ["song.mp3", "song.opus", "song.aac"])
def test_a_cut_stream_without_a_length_is_a_shorter_one(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, chirp(KINDS[name][3], 2.0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 0.4 < decode(path).seconds < 1.6


def test_a_tag_behind_the_last_frame_does_no_harm(tmp_path: Path) -> None:
    path = written(tmp_path / "song.mp3", chirp(44_100))
    path.write_bytes(path.read_bytes() + b"APETAGEX" + bytes(200))
    assert decode(path).samples.shape == (2, 48_000)


def test_half_a_last_frame_does_no_harm_and_a_hole_in_the_middle_does(tmp_path: Path) -> None:
    path = written(tmp_path / "song.aac", chirp(48_000))
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    assert 0.9 < decode(path).seconds < 1.1
    content = bytearray(written(tmp_path / "song.m4a", chirp(48_000)).read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2_000] = bytes(2_000)
    (tmp_path / "song.m4a").write_bytes(content)
    with pytest.raises(AudioError, match="cannot be read as sound; allowed are"):
        decode(tmp_path / "song.m4a")
