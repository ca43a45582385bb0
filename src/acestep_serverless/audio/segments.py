"""How is one song encoded on several cores? Codecs whose frames stand alone are encoded in segments, side by side.

A segment's encoder starts a few frames early, so that its filters and its psychoacoustics know the past, and reads a
few frames further, so that they know the future; those frames are dropped. For LAME without bit reservoir the frames
are then the very bytes of one encoder working alone: measured over six cuts, 2 early frames are enough.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import TypeAlias, cast

import av
import numpy as np

from acestep_serverless.audio.clip import Clip
from acestep_serverless.audio.formats import AudioFormat
from acestep_serverless.audio.together import Stop, together

Packet: TypeAlias = "av.Packet[av.AudioStream]"
LAYOUTS = {1: "mono", 2: "stereo"}
# 10 s of MP3 per segment: 0.25 s of work, of which the early and late frames are 3 %.
SEGMENT_FRAMES, EARLY_FRAMES, LATE_FRAMES = 417, 8, 4


def encode_side_by_side(clip: Clip, chosen: AudioFormat, frame: int, cancelled: Callable[[], bool]) -> Iterator[Packet]:
    """Yield the packets of the whole clip in order, times counted in samples. `frame` is the codec's frame in samples.

    Raises GenerationCancelled within 0.1 s of `cancelled()` turning true.
    """
    frames = -(-clip.samples.shape[1] // frame)
    starts = range(0, max(1, frames), SEGMENT_FRAMES)
    jobs = [partial(_segment, clip, chosen, frame, start, start == starts[-1]) for start in starts]
    first: int | None = None
    for number, packet in enumerate(packet for packets in together(jobs, cancelled) for packet in packets):
        if first is None:
            first = packet.pts or 0
        packet.pts = packet.dts = first + number * frame
        packet.time_base = Fraction(1, clip.sample_rate)
        yield packet


def _segment(clip: Clip, chosen: AudioFormat, frame: int, start: int, last: bool, stop: Stop) -> list[Packet]:
    """Encode the frames from `start` to the next segment, or to the end of the `last` one."""
    early = min(start, EARLY_FRAMES)
    begin = (start - early) * frame
    end = clip.samples.shape[1] if last else (start + SEGMENT_FRAMES + LATE_FRAMES) * frame
    encoder = cast(av.AudioCodecContext, av.CodecContext.create(chosen.codec, "w"))
    encoder.sample_rate, encoder.layout = clip.sample_rate, LAYOUTS[clip.samples.shape[0]]
    encoder.format, encoder.options = chosen.sample_format, dict(chosen.options)
    encoder.bit_rate = chosen.bit_rate
    packets: list[Packet] = []
    for sound in audio_frames(clip, begin, end, chosen.gain):
        stop()
        packets += encoder.encode(sound)
    if last:
        packets += encoder.encode(None)
    return packets[early:] if last else packets[early : early + SEGMENT_FRAMES]


def audio_frames(clip: Clip, begin: int, end: int, gain: float) -> Iterator[av.AudioFrame]:
    """Cut the samples from `begin` to `end` into float frames of one second: 0.03 s of an encoder's work each."""
    layout = LAYOUTS[clip.samples.shape[0]]
    for start in range(begin, end, clip.sample_rate):
        samples = clip.samples[:, start : min(end, start + clip.sample_rate)] * np.float32(gain)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = clip.sample_rate, Fraction(1, clip.sample_rate), start - begin
        yield frame
