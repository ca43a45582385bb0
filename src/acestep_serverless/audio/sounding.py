"""What sounds in a file from outside? One stream, by a few demuxers and decoders of FFmpeg's, counted or decoded.

Nothing about such a file is believed: not its name, not its length, not its rate. The sentences of AudioErrors here
begin with their verb; who knows the file's name puts it before them.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import NoReturn, TypeAlias, cast

import av
import numpy as np
import soxr
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from numpy.typing import NDArray

from acestep_serverless.audio.guarded_file import GuardedFile
from acestep_serverless.audio.readable import (
    ALLOWED,
    CODECS,
    CONTAINERS,
    EXACT_LENGTH,
    HIGHEST_SAMPLE,
    MOST_CHANNELS,
    MOST_STREAMS,
    PADDING_SECONDS,
    SAMPLE_RATES,
)
from acestep_serverless.audio.segments import LAYOUTS
from acestep_serverless.errors import AudioError

Floats: TypeAlias = "NDArray[np.float32]"

_OPTIONS = {
    "format_whitelist": ",".join(CONTAINERS),
    "codec_whitelist": ",".join(CODECS),
    "protocol_whitelist": "file",
    "max_streams": str(MOST_STREAMS),
}
# A tag of another kind at the end of an MP3, or a first frame that leans on one that is gone: no decoder reads those.
_UNREADABLE_PACKETS = 2
# A file may hold this much less than it says: encoders round to frames.
_MISSING_SECONDS, _MISSING_SHARE = 0.1, 0.01


class Sounding:
    """The one audio stream of an open container. `container` and `codec` are words of readable.py."""

    def __init__(self, source: InputContainer, longest_seconds: float, file: GuardedFile) -> None:
        self._source, self._longest, self._file = source, longest_seconds, file
        self.container = CONTAINERS[source.format.name]
        self._stream = _only_stream(source)
        self.codec = CODECS[self._stream.codec_context.codec.name]

    def facts(self) -> dict[str, float | str]:
        """Return the fields of decode.AudioFacts: packets are counted, only the first is decoded."""
        frame = next(self._frames())
        self._source.seek(0)
        ticks, tick = 0, float(self._stream.time_base or 0)
        for packet in self._source.demux(self._stream):
            self._file.check()
            ticks += packet.duration or 0
            self._refuse_if_long(ticks * tick)
        self._refuse_if_cut(ticks * tick)
        return {
            "seconds": ticks * tick,
            "sample_rate": frame.sample_rate,
            "channels": frame.layout.nb_channels,
            "container": self.container,
            "codec": self.codec,
        }

    def stereo(self, sample_rate: int) -> Floats:
        """Return all samples at `sample_rate`, float32 `[2, samples]`."""
        samples = _joined(deque(self._resampled(sample_rate)), self._said_samples(sample_rate))
        if samples.shape[1] == 0:
            raise AudioError("holds no sound")
        if not np.isfinite(samples).all():
            raise AudioError("holds samples that are NaN or infinite")
        if max(samples.max(), -samples.min()) > HIGHEST_SAMPLE:
            raise AudioError(f"holds samples of more than {HIGHEST_SAMPLE:g} times full scale")
        return samples

    def _frames(self) -> Iterator[av.AudioFrame]:
        """Yield the decoded frames, all of one rate and layout. Raises AudioError when there are too many, or none."""
        unreadable, samples, first = 0, 0, None
        for packet in self._source.demux(self._stream):
            self._file.check()
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                unreadable += 1
                if unreadable > _UNREADABLE_PACKETS:
                    raise
                continue
            for frame in frames:
                first = first or frame
                _refuse_unfit(frame, first)
                samples += frame.samples
                self._refuse_if_long(samples / frame.sample_rate)
                yield frame
        if first is None:
            raise AudioError("holds no sound")
        self._refuse_if_cut(samples / first.sample_rate)

    def _resampled(self, sample_rate: int) -> Iterator[Floats]:
        """Yield float32 `[samples, 1 or 2]` at `sample_rate`."""
        frames = self._frames()
        first = next(frames)
        channels = min(first.layout.nb_channels, 2)
        converter = AudioResampler(format="flt", layout=LAYOUTS[channels])
        resampler = soxr.ResampleStream(first.sample_rate, sample_rate, channels, dtype="float32", quality="HQ")
        same = first.sample_rate == sample_rate
        for frame in chain([first], frames, [None]):
            for converted in converter.resample(frame):
                samples = cast(Floats, converted.to_ndarray()).reshape(-1, channels)
                yield samples if same else resampler.resample_chunk(samples)
        if not same:
            yield resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True)

    def _said_samples(self, sample_rate: int) -> int | None:
        """Return the length that an MP4 says, in samples; None for others, whose padding FFmpeg drops by itself."""
        if self.container != "mp4" or not self._stream.duration:
            return None
        return round(self._stream.duration * float(self._stream.time_base or 0) * sample_rate)

    def _refuse_if_long(self, seconds: float) -> None:
        if seconds > self._longest + PADDING_SECONDS:
            raise AudioError(f"is longer than {self._longest:g} s")

    def _refuse_if_cut(self, seconds: float) -> None:
        """Raise AudioError when the container says clearly more than the `seconds` it holds."""
        said = self._source.duration
        if self.container not in EXACT_LENGTH or said is None:
            return
        missing = said / av.time_base - seconds
        if missing > max(_MISSING_SECONDS, _MISSING_SHARE * seconds):
            raise AudioError(f"is cut: {said / av.time_base:.1f} s are said, {seconds:.1f} s are there")


@contextmanager
def sounding(file: GuardedFile, longest_seconds: float) -> Iterator[Sounding]:
    """Open the stream in `file`. Everything that FFmpeg says against it becomes an AudioError."""
    try:
        file.refuse_if_cut()
        with av.open(file, "r", options=_OPTIONS, metadata_errors="replace", io_open=_refuse_more_files) as source:
            yield Sounding(source, longest_seconds, file)
    except (av.error.FFmpegError, ValueError) as error:
        raise AudioError(f"cannot be read as sound; allowed are {ALLOWED}") from error


def _refuse_more_files(url: str, flags: int, options: object) -> NoReturn:
    raise AudioError("names another file, and must stand alone")


def _only_stream(source: InputContainer) -> av.AudioStream:
    """Return the one audio stream; a cover picture may be beside it, and is never decoded."""
    pictures = [stream for stream in source.streams if stream.disposition & av.stream.Disposition.attached_pic]
    if len(source.streams.audio) != 1 or len(source.streams) - len(pictures) != 1:
        raise AudioError(f"must hold one stream of sound and nothing else; allowed are {ALLOWED}")
    stream = source.streams.audio[0]
    if stream.codec_context is None or stream.codec_context.codec.name not in CODECS:
        raise AudioError(f"is in a codec that is not read; allowed are {ALLOWED}")
    return stream


def _refuse_unfit(frame: av.AudioFrame, first: av.AudioFrame) -> None:
    rate, channels = frame.sample_rate, frame.layout.nb_channels
    if not SAMPLE_RATES[0] <= rate <= SAMPLE_RATES[1]:
        raise AudioError(f"must have a rate of {SAMPLE_RATES[0]} to {SAMPLE_RATES[1]} Hz, got {rate}")
    if not 1 <= channels <= MOST_CHANNELS:
        raise AudioError(f"must have 1 to {MOST_CHANNELS} channels, got {channels}")
    if (rate, frame.layout.name, frame.format.name) != (first.sample_rate, first.layout.name, first.format.name):
        raise AudioError("changes its rate or channels on the way")


def _joined(pieces: deque[Floats], length: int | None) -> Floats:
    """Join pieces `[samples, 1 or 2]` to `[2, length]`, letting go of each: ten minutes are 230 MB, held twice."""
    joined = np.empty((2, sum(len(piece) for piece in pieces)), np.float32)
    end = 0
    while pieces:
        piece = pieces.popleft()
        joined[:, end : end + len(piece)] = piece.T
        end += len(piece)
    return joined if length is None or length >= end else np.ascontiguousarray(joined[:, :length])
