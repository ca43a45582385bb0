"""Files that are no sound, or made to do harm: each gives one sentence, soon and in little memory."""

import json
import os
import struct
import subprocess
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sound_files import KINDS, chirp, greedy_mp4, silence, wav, written

from acestep_serverless.audio import decode as decoding
from acestep_serverless.audio.decode import decode, probe
from acestep_serverless.audio.decoder import Order
from acestep_serverless.errors import AudioError


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


def test_a_long_time_in_a_few_bytes_ends_at_the_limit(tmp_path: Path) -> None:
    path = silence(tmp_path / "long.flac", 1_200)
    assert path.stat().st_size < 300_000
    for read in (probe, decode):
        with pytest.raises(AudioError, match=r"long\.flac is longer than 600 s"):
            read(path)
    with pytest.raises(AudioError, match=r"is longer than 5\.5 s"):
        decode(path, longest_seconds=5.5)


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
