"""Which files can a song become? One row per format; everything about a format is in its row."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from acestep_serverless.errors import AudioError


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """One kind of file. `container`, `codec`, `sample_format` and `options` are FFmpeg's names; `bit_rate` is in
    bits per second, None for the lossless formats."""

    name: str
    suffix: str
    media_type: str
    container: str
    codec: str
    sample_format: str
    bit_rate: int | None
    options: Mapping[str, str]


def _row(name: str, media_type: str, codec: str, sample_format: str, **options: str) -> AudioFormat:
    bit_rate = int(options.pop("b")) if "b" in options else None
    return AudioFormat(
        name, f".{name}", media_type, name, codec, sample_format, bit_rate, MappingProxyType(dict(options))
    )


# LAME's levels 7, 8 and 9 give the same bytes at 192 kbit/s; 7 takes 0.7 of the default level's time and, without the
# bit reservoir, every frame stands alone, so that stretches of one song can be encoded side by side (see mp3.py).
FORMATS: Mapping[str, AudioFormat] = MappingProxyType(
    {
        row.name: row
        for row in (
            _row("mp3", "audio/mpeg", "libmp3lame", "fltp", b="192000", compression_level="7", reservoir="0"),
            _row("wav", "audio/wav", "pcm_s16le", "s16"),
            _row("flac", "audio/flac", "flac", "s32", compression_level="5"),
        )
    }
)
"""Every format by the name that requests use."""


def format_named(name: str) -> AudioFormat:
    """Return the row of `name`. Raises AudioError that lists the known formats."""
    try:
        return FORMATS[name]
    except KeyError:
        raise AudioError(f"audio format: one of {', '.join(FORMATS)}, got {name!r}") from None
