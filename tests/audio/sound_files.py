"""Which sound files do tests need? Real ones of every kind, made with FFmpeg, and two that are made to do harm."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

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


def wav(data: bytes, rate: int = 48_000, channels: int = 1, bits: int = 16, kind: int = 1) -> bytes:
    """A WAV file around `data`; kind 1 is integers, 3 floats."""
    frame = channels * bits // 8
    head = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, kind, channels, rate, rate * frame, frame, bits)
    body = head + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


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
