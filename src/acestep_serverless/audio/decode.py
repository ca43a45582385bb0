"""How does a file from outside become a clip? A few demuxers and decoders of FFmpeg's, within bounds, through PyAV.

Nothing about such a file is believed: not its name, not its length, not its rate. Both functions take up to seconds of
work, so call them in a thread.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NoReturn, TypeAlias, cast

import av
import numpy as np
import soxr
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from numpy.typing import NDArray

from acestep_serverless.audio.clip import SAMPLE_RATE, Clip
from acestep_serverless.audio.guarded_file import GuardedFile
from acestep_serverless.audio.readable import (
    ALLOWED,
    CODECS,
    CONTAINERS,
    EXACT_LENGTH,
    HIGHEST_SAMPLE,
    LONGEST_SECONDS,
    LONGEST_WORK_SECONDS,
    MOST_CHANNELS,
    MOST_STREAMS,
    PADDING_SECONDS,
    SAMPLE_RATES,
)
from acestep_serverless.audio.segments import LAYOUTS
from acestep_serverless.clock import SYSTEM_CLOCK
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


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What a file holds: its length in seconds within 0.1 s, rate in Hz, channels, and the words of readable.py."""

    seconds: float
    sample_rate: int
    channels: int
    container: str
    codec: str


def probe(
    path: Path, *, longest_seconds: float = LONGEST_SECONDS, monotonic: Callable[[], float] = SYSTEM_CLOCK.monotonic
) -> AudioFacts:
    """Say what the file holds: its packets are counted, and only the first is decoded.

    Raises AudioError as `decode` does; a file that passes can still hold packets that cannot be decoded.
    """
    with _opened(path, longest_seconds, monotonic) as sound:
        first = sound.first_frame()
        seconds = sound.counted_seconds()
        sound.refuse_if_cut(seconds)
        return AudioFacts(seconds, first.sample_rate, first.layout.nb_channels, sound.container, sound.codec)


def decode(
    path: Path,
    *,
    longest_seconds: float = LONGEST_SECONDS,
    sample_rate: int = SAMPLE_RATE,
    monotonic: Callable[[], float] = SYSTEM_CLOCK.monotonic,
) -> Clip:
    """Read the file as stereo at `sample_rate`, float32 `[2, samples]`; one channel becomes two, more are mixed down.

    Mixing is FFmpeg's (its weights add up to more than one: loud surround sound can pass full scale), resampling is
    soxr's at high quality. Raises AudioError, before more than `longest_seconds` and a codec's padding are decoded,
    for files of another kind, broken, cut, endless, or with samples that are no sound.
    """
    with _opened(path, longest_seconds, monotonic) as sound:
        pieces = list(_resampled(sound, sample_rate))
        length = sound.said_samples(sample_rate)
    samples = np.ascontiguousarray(np.concatenate(pieces, axis=0)[:length].T)
    if samples.shape[1] == 0:
        raise AudioError(f"{path.name} holds no sound")
    if float(np.abs(samples).max()) > HIGHEST_SAMPLE:
        raise AudioError(f"{path.name} holds samples of more than {HIGHEST_SAMPLE:g} times full scale")
    return Clip(np.repeat(samples, 2, axis=0) if samples.shape[0] == 1 else samples, sample_rate)


class _Sound:
    """The one audio stream of an open container, read once: either counted or decoded."""

    def __init__(self, label: str, source: InputContainer, longest_seconds: float, file: GuardedFile) -> None:
        self.label, self._source, self._longest, self._file = label, source, longest_seconds, file
        self.container = CONTAINERS[source.format.name]
        self._stream = _only_stream(label, source)
        self.codec = CODECS[self._stream.codec_context.codec.name]

    def first_frame(self) -> av.AudioFrame:
        """Decode up to the first frame and go back to the start."""
        frame = next(self.frames())
        self._source.seek(0)
        return frame

    def frames(self) -> Iterator[av.AudioFrame]:
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
                self._refuse_unfit(frame, first)
                samples += frame.samples
                self._refuse_if_long(samples / frame.sample_rate)
                yield frame
        if first is None:
            raise AudioError(f"{self.label} holds no sound")
        self.refuse_if_cut(samples / first.sample_rate)

    def counted_seconds(self) -> float:
        """Add up the lengths that the packets say."""
        ticks, tick = 0, float(self._stream.time_base or 0)
        for packet in self._source.demux(self._stream):
            self._file.check()
            ticks += packet.duration or 0
            self._refuse_if_long(ticks * tick)
        return ticks * tick

    def said_samples(self, sample_rate: int) -> int | None:
        """Return the length that the container says, in samples: where it ends after its last frame's padding begins.

        None if it says none. MP4 alone needs it: the others' padding is dropped by FFmpeg.
        """
        if self.container != "mp4" or not self._stream.duration:
            return None
        return round(self._stream.duration * float(self._stream.time_base or 0) * sample_rate)

    def _refuse_unfit(self, frame: av.AudioFrame, first: av.AudioFrame) -> None:
        rate, channels = frame.sample_rate, frame.layout.nb_channels
        if not SAMPLE_RATES[0] <= rate <= SAMPLE_RATES[1]:
            raise AudioError(f"{self.label}: the rate must be {SAMPLE_RATES[0]} to {SAMPLE_RATES[1]} Hz, got {rate}")
        if not 1 <= channels <= MOST_CHANNELS:
            raise AudioError(f"{self.label}: 1 to {MOST_CHANNELS} channels are allowed, got {channels}")
        if (rate, frame.layout.name, frame.format.name) != (first.sample_rate, first.layout.name, first.format.name):
            raise AudioError(f"{self.label} changes its rate or channels on the way")

    def _refuse_if_long(self, seconds: float) -> None:
        if seconds > self._longest + PADDING_SECONDS:
            raise AudioError(f"{self.label} is longer than {self._longest:g} s")

    def refuse_if_cut(self, seconds: float) -> None:
        """Raise AudioError when the container says clearly more than the `seconds` it holds."""
        said = self._source.duration
        if self.container not in EXACT_LENGTH or said is None:
            return
        missing = said / av.time_base - seconds
        if missing > max(_MISSING_SECONDS, _MISSING_SHARE * seconds):
            raise AudioError(f"{self.label} is cut: {said / av.time_base:.1f} s are said, {seconds:.1f} s are there")


@contextmanager
def _opened(path: Path, longest_seconds: float, monotonic: Callable[[], float]) -> Iterator[_Sound]:
    with GuardedFile(path, monotonic, LONGEST_WORK_SECONDS) as file:
        try:
            file.refuse_if_cut()
            with av.open(file, "r", options=_OPTIONS, metadata_errors="replace", io_open=_refuse_more_files) as source:
                yield _Sound(path.name, source, longest_seconds, file)
        except (av.error.FFmpegError, ValueError) as error:
            raise AudioError(f"{path.name} is no sound file that is read here: {ALLOWED}") from error


def _refuse_more_files(url: str, flags: int, options: object) -> NoReturn:
    raise AudioError("a sound file must stand alone: it names another file")


def _only_stream(label: str, source: InputContainer) -> av.AudioStream:
    """Return the one audio stream; a cover picture may be beside it, and is never decoded."""
    pictures = [stream for stream in source.streams if stream.disposition & av.stream.Disposition.attached_pic]
    if len(source.streams.audio) != 1 or len(source.streams) - len(pictures) != 1:
        raise AudioError(f"{label} must hold one stream of sound and nothing else: {ALLOWED}")
    stream = source.streams.audio[0]
    if stream.codec_context is None or stream.codec_context.codec.name not in CODECS:
        raise AudioError(f"{label}: its codec is not read here: {ALLOWED}")
    return stream


def _resampled(sound: _Sound, sample_rate: int) -> Iterator[Floats]:
    """Yield float32 `[samples, 1 or 2]` at `sample_rate`."""
    frames = sound.frames()
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
