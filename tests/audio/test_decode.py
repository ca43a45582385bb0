"""Files from outside: what is sound becomes a clip, and everything else one sentence, soon and in little memory."""

import io
import struct
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acestep_serverless.audio import decode as decoding
from acestep_serverless.audio.decode import AudioFacts, decode, probe
from acestep_serverless.audio.readable import SAMPLE_RATES
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
    assert abs(clip.seconds - 1) <= 0.1
    ours = chirp(48_000)[0]
    start = int(np.argmax(np.correlate(clip.samples[0], ours[12_000:24_000], "valid"))) - 12_000
    assert 0 <= start <= (1_024 if container == "adts" else 1)  # ADTS cannot say how much of its start is padding
    heard = clip.samples[0][start + 12_000 : start + 36_000]
    assert np.abs(heard - ours[12_000:36_000]).max() <= tolerance
    facts = probe(tmp_path / name)
    assert facts == AudioFacts(facts.seconds, rate, 2, container, codec)
    assert abs(facts.seconds - 1) <= 0.1
