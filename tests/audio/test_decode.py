"""Files from outside: what is sound becomes a clip, and everything else one sentence, soon and in little memory."""

import json
import os
import struct
import subprocess
from contextlib import suppress
from dataclasses import asdict
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from acestep_serverless.audio import decode as decoding
from acestep_serverless.audio.decode import AudioFacts, decode, probe
from acestep_serverless.audio.decoder import Order
from acestep_serverless.errors import AudioError

# file name: FFmpeg's container, codec, sample format, rate; what probe says; how far samples may be off.
KINDS = {
    "song.mp3": ("mp3", "libmp3lame", "fltp", 44_100, ("mp3", "mp3"), 0.03),
    "song.wav": ("wav", "pcm_s16le", "s16", 44_100, ("wav", "pcm_s16le"), 0.0005),
    "float.wav": ("wav", "pcm_f32le", "flt", 48_000, ("wav", "pcm_f32le"), 1e-6),
    "song.flac": ("flac", "flac", "s16", 22_050, ("flac", "flac"), 0.0005),
    "song.opus": ("ogg", "libopus", "flt", 48_000, ("ogg", "opus"), 0.03),
    "song.ogg": ("ogg", "vorbis", "fltp", 48_000, ("ogg", "vorbis"), 0.05),
    "song.aac": ("adts", "aac", "fltp", 48_000, ("adts", "aac"), 0.03),
    "song.m4a": ("ipod", "aac", "fltp", 48_000, ("mp4", "aac"), 0.03),
    "lossless.m4a": ("ipod", "alac", "s16p", 48_000, ("mp4", "alac"), 0.0005),
    "song.webm": ("webm", "libopus", "flt", 48_000, ("webm", "opus"), 0.03),
    "song.aiff": ("aiff", "pcm_s16be", "s16", 48_000, ("aiff", "pcm_s16be"), 0.0005),
}


def chirp(rate: int, seconds: float = 1.0, channels: int = 2) -> np.ndarray:
    """A tone that rises from 200 to 1,000 Hz: it fits itself in one place only."""
    time = np.arange(round(seconds * rate)) / rate
    fade = np.minimum(1, np.minimum(time, seconds - time) * 20)
    turns = 200 * time + 400 / seconds * time**2
    return np.tile((0.3 * fade * np.sin(2 * np.pi * turns)).astype(np.float32), (channels, 1))


def written(path: Path, samples: np.ndarray, layout: str = "stereo") -> Path:
    """Write `samples`, float32 [channels, samples], as the kind that the name of `path` says."""
    container_name, codec, sample_format, rate, _, _ = KINDS[path.name]
    with av.open(str(path), "w", format=container_name, options={"strict": "experimental"}) as container:
        stream = container.add_stream(codec, rate=rate, options={"strict": "experimental"})
        stream.codec_context.layout, stream.codec_context.format = layout, sample_format
        converter = av.AudioResampler(format=sample_format, layout=layout, rate=rate)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        for converted in converter.resample(frame):
            container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    return path


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


def wav(data: bytes, rate: int = 48_000, channels: int = 1, bits: int = 16, kind: int = 1) -> bytes:
    """A WAV file around `data`; kind 1 is integers, 3 floats."""
    frame = channels * bits // 8
    head = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, kind, channels, rate, rate * frame, frame, bits)
    body = head + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def floats(value: float) -> bytes:
    return wav(np.array([0, value] * 4_800, np.float32).tobytes(), bits=32, kind=3)


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"
AU = b".snd" + struct.pack(">IIIII", 24, 19_200, 3, 48_000, 1) + bytes(19_200)
NO_SOUND = {
    "nothing": (b"", "1 to 1073741824 bytes, got 0"),
    "words": (b"these are words, not sounds. " * 500, "allowed are mp3, wav"),
    "zeros": (bytes(50_000), "allowed are mp3, wav"),
    "noise": (np.random.default_rng(5).bytes(200_000), "allowed are mp3, wav"),
    "a playlist": (PLAYLIST, "allowed are mp3, wav"),
    "a list of files": (b"ffconcat version 1.0\nfile '/etc/hostname'\n", "allowed are mp3, wav"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0@\0\0\0@\x08\x02\0\0\0" + bytes(500), "allowed are mp3, wav"),
    "a container that is not read": (AU, r"as sound; allowed are mp3, wav"),
    "a codec that is not read": (wav(bytes(9_000), bits=4, kind=0x11), "codec that is not read"),
    "not a number": (floats(np.nan), "NaN or infinite"),
    "infinity": (floats(np.inf), "NaN or infinite"),
    "numbers that are no sound": (floats(32_768), "16 times full scale"),
    "one sample a second": (wav(bytes(9_000), rate=1), "8000 to 192000 Hz, got 1"),
    "sixteen channels": (wav(bytes(9_600), channels=16), "1 to 8 channels, got 16"),
    "no sample": (wav(b""), "holds no sound"),
    "half a file": (wav(bytes(96_000))[:48_000], "is cut: 96044 bytes are said, 48000 are there"),
}


@pytest.mark.parametrize("what", NO_SOUND)
def test_what_is_no_sound_is_refused_with_a_sentence(tmp_path: Path, what: str) -> None:
    content, sentence = NO_SOUND[what]
    (tmp_path / "song.mp3").write_bytes(content)
    with pytest.raises(AudioError, match=sentence) as caught:
        decode(tmp_path / "song.mp3")
    assert str(caught.value).startswith("song.mp3")


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


def silence(path: Path, seconds: int) -> Path:
    """A FLAC of digital silence at 8 kHz: an 88th of its samples."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=8_000)
        stream.codec_context.layout, stream.codec_context.format = "mono", "s16"
        frame = av.AudioFrame(format="s16", layout="mono", samples=4_608)
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        frame.sample_rate, frame.time_base = 8_000, Fraction(1, 8_000)
        for number in range(8_000 * seconds // 4_608):
            frame.pts = number * 4_608
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_long_time_in_a_few_bytes_ends_at_the_limit(tmp_path: Path) -> None:
    path = silence(tmp_path / "long.flac", 1_200)
    assert path.stat().st_size < 300_000
    for read in (probe, decode):
        with pytest.raises(AudioError, match=r"long\.flac is longer than 600 s"):
            read(path)
    with pytest.raises(AudioError, match=r"is longer than 5\.5 s"):
        decode(path, longest_seconds=5.5)


def replaced(content: bytes, path: list[bytes], new: bytes) -> bytes:
    """Put `new` in place of the MP4 box at `path`, and mend the sizes of the boxes around it."""
    places, start, end = [], 0, len(content)
    for kind in path:
        while content[start + 4 : start + 8] != kind:
            start += struct.unpack(">I", content[start : start + 4])[0]
            assert start < end
        places.append(start)
        start, end = start + 8, start + struct.unpack(">I", content[start : start + 4])[0]
    mended = bytearray(content[: places[-1]] + new + content[end:])
    for place in places[:-1]:
        size = struct.unpack(">I", content[place : place + 4])[0] + len(new) - (end - places[-1])
        mended[place : place + 4] = struct.pack(">I", size)
    return bytes(mended)


def greedy_mp4(path: Path) -> Path:
    """157 KB that ask FFmpeg to list 20,000 samples 5,000 times over: 24 bytes each, 2.3 GB."""
    content = written(path, chirp(48_000)).read_bytes()
    track, samples = [b"moov", b"trak"], 20_000
    tables = [*track, b"mdia", b"minf", b"stbl"]
    edits = struct.pack(">I4sII", 16 + 12 * 5_000, b"elst", 0, 5_000) + struct.pack(">IiI", 10**6, 0, 1 << 16) * 5_000
    content = replaced(content, [*track, b"edts", b"elst"], edits)
    sizes = struct.pack(">I4sIII", 20 + 4 * samples, b"stsz", 0, 0, samples) + struct.pack(">I", 1) * samples
    content = replaced(content, [*tables, b"stsz"], sizes)
    content = replaced(content, [*tables, b"stsc"], struct.pack(">I4sIIIII", 28, b"stsc", 0, 1, 1, samples, 1))
    content = replaced(content, [*tables, b"stts"], struct.pack(">I4sIIII", 24, b"stts", 0, 1, samples, 1_024))
    path.write_bytes(content)
    return path


def test_a_file_that_asks_for_gigabytes_gets_half_of_one(tmp_path: Path) -> None:
    path = greedy_mp4(tmp_path / "song.m4a")
    with pytest.raises(AudioError, match="cannot be read as sound"):
        probe(path)
    with path.open("rb") as file:
        command = [*decoding._COMMAND, json.dumps(asdict(Order(600.0, None)))]
        process = subprocess.Popen(command, stdin=file, stdout=subprocess.DEVNULL, env=decoding._ENVIRONMENT)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0  # waited for above
    assert usage.ru_maxrss < 800_000


@pytest.mark.parametrize("second", ["mpeg4", "aac"])
def test_a_video_and_two_sounds_in_one_file_are_refused(tmp_path: Path, second: str) -> None:
    with av.open(str(tmp_path / "two.mp4"), "w") as container:
        sound = container.add_stream("aac", rate=48_000)
        other = container.add_stream(second, rate=25 if second == "mpeg4" else 48_000)
        if isinstance(other, av.VideoStream):
            other.width, other.height = 16, 16
        for stream in (sound, other):
            if isinstance(stream, av.VideoStream):
                frame = av.VideoFrame(16, 16, "yuv420p")
            else:
                frame = av.AudioFrame.from_ndarray(chirp(48_000), format="fltp", layout="stereo")
                frame.sample_rate = 48_000
            frame.pts = 0
            for packet in (*stream.encode(frame), *stream.encode(None)):
                container.mux(packet)
    for read in (probe, decode):
        with pytest.raises(AudioError, match=r"two\.mp4 must hold one stream of sound and nothing else"):
            read(tmp_path / "two.mp4")


def test_only_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, sentence in (
        (tmp_path, "is not a file"),
        (tmp_path / "pipe", "is not a file"),
        (Path("/dev/zero"), "is not a file"),
        (tmp_path / "missing.mp3", r"cannot read missing\.mp3: No such file"),
    ):
        with pytest.raises(AudioError, match=sentence):
            decode(path)


def test_a_decoder_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "LONGEST_WORK_SECONDS", 0.0)
    with pytest.raises(AudioError, match="too much memory or time"):
        decode(written(tmp_path / "song.mp3", chirp(44_100)))


@cache
def sound_bytes(name: str) -> bytes:
    with TemporaryDirectory() as folder:
        return written(Path(folder) / name, chirp(KINDS[name][3], 0.3)).read_bytes()


@settings(max_examples=15, deadline=None)
@given(
    name=st.sampled_from(list(KINDS)),
    breaks=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6),
    end=st.floats(0.05, 1),
)
def test_broken_bytes_give_a_clip_or_a_sentence(name: str, breaks: list[tuple[float, bytes]], end: float) -> None:
    content = bytearray(sound_bytes(name))
    for place, new in breaks:
        start = int(place * len(content))
        content[start : start + len(new)] = new
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content[: max(1, int(end * len(content)))])
        with suppress(AudioError):
            clip = decode(path)
            assert np.isfinite(clip.samples).all()
            assert clip.seconds < 600.2
