"""Which files can a song become? One row per format; everything about a format is in its row.

docs/formats.md shows the rows with what was measured of each: length, level, tags.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from acestep_serverless.contract.media import MEDIA_TYPES
from acestep_serverless.errors import AudioError


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """One kind of file. `container`, `codec`, `sample_format`, `options` and `muxing` are FFmpeg's names.

    `bit_rate` is in bits per second, None for the lossless formats; `gain` undoes what the encoder does to the level;
    frames that are `independent` can be encoded on several cores (segments.py). In the values of `muxing`, `{rate}`
    stands for the clip's sample rate.
    """

    name: str
    suffix: str
    container: str
    codec: str
    sample_format: str
    bit_rate: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    muxing: Mapping[str, str] = field(default_factory=dict)
    gain: float = 1.0
    independent: bool = False

    @property
    def media_type(self) -> str:
        """The media type that goes with the suffix."""
        return MEDIA_TYPES[self.suffix.removeprefix(".")]


MP3 = AudioFormat(
    name="mp3",
    suffix=".mp3",
    container="mp3",
    codec="libmp3lame",
    sample_format="fltp",
    bit_rate=192_000,
    # Levels 7, 8 and 9 give the same bytes at 192 kbit/s, in 0.7 of the default level's time (90 s of stereo on one
    # core: 2.6 s against 3.6 s). Without the bit reservoir every frame stands alone.
    options=MappingProxyType({"compression_level": "7", "reservoir": "0"}),
    # LAME scales its input by 0.97 at this bit rate: files came out 0.26 dB below the clip.
    gain=1 / 0.97,
    independent=True,
)
WAV = AudioFormat("wav", ".wav", "wav", "pcm_s16le", "s16")
WAV32 = AudioFormat("wav32", ".wav", "wav", "pcm_f32le", "flt")
FLAC = AudioFormat("flac", ".flac", "flac", "flac", "s32")
OPUS = AudioFormat(
    name="opus",
    suffix=".opus",
    container="ogg",
    codec="libopus",
    sample_format="flt",
    bit_rate=160_000,
    # Half the time of the default, 10: 30 s of stereo take 0.3 s against 0.6 s, for 0.2 dB of signal to noise.
    options=MappingProxyType({"compression_level": "5"}),
)
AAC = AudioFormat(
    name="aac",
    # Not bare ADTS frames: an MP4 says its length, holds tags, drops the codec's padding, and every browser plays it.
    suffix=".m4a",
    container="ipod",
    codec="aac",
    sample_format="fltp",
    bit_rate=192_000,
    # 30 s of stereo take 0.3 s against 0.6 s for the default search, and come out nearer to the clip (29 dB, 28 dB).
    # "bitexact" here keeps the codec's version out of the first frame.
    options=MappingProxyType({"aac_coder": "fast", "flags": "+bitexact"}),
    # The index in front lets players start before the file is there; in samples, not in milliseconds, the length is
    # exact.
    muxing=MappingProxyType({"movflags": "+faststart", "movie_timescale": "{rate}"}),
)

FORMATS: Mapping[str, AudioFormat] = MappingProxyType({row.name: row for row in (MP3, WAV, WAV32, FLAC, OPUS, AAC)})
"""Every format by the name that requests use."""


def format_named(name: str) -> AudioFormat:
    """Return the row of `name`. Raises AudioError that lists the known formats."""
    try:
        return FORMATS[name]
    except KeyError:
        raise AudioError(f"audio format: one of {', '.join(FORMATS)}, got {name!r}") from None
