"""Which audio files from outside are taken in? The kinds and codecs, the limits, and the sentence that names them."""

from collections.abc import Mapping
from types import MappingProxyType

CONTAINERS: Mapping[str, str] = MappingProxyType(
    {
        "mp3": "mp3",
        "wav": "wav",
        "flac": "flac",
        "ogg": "ogg",
        "mov,mp4,m4a,3gp,3g2,mj2": "mp4",
        "aac": "adts",
        "matroska,webm": "webm",
        "aiff": "aiff",
    }
)
"""Our word for each of FFmpeg's demuxers that may read a file from outside. None of them follows a reference to
another file: playlists, `concat`, image sequences and streams have demuxers of their own, which are not here."""

CODECS: Mapping[str, str] = MappingProxyType(
    {
        "mp3": "mp3",
        "mp3float": "mp3",
        "flac": "flac",
        "opus": "opus",
        "libopus": "opus",
        "vorbis": "vorbis",
        "aac": "aac",
        "alac": "alac",
        "pcm_u8": "pcm_u8",
        "pcm_s8": "pcm_s8",
        "pcm_s16le": "pcm_s16le",
        "pcm_s16be": "pcm_s16be",
        "pcm_s24le": "pcm_s24le",
        "pcm_s24be": "pcm_s24be",
        "pcm_s32le": "pcm_s32le",
        "pcm_s32be": "pcm_s32be",
        "pcm_f32le": "pcm_f32le",
        "pcm_f32be": "pcm_f32be",
        "pcm_f64le": "pcm_f64le",
        "pcm_f64be": "pcm_f64be",
    }
)
"""Our word for each of FFmpeg's decoders that may run on such a file."""

EXACT_LENGTH = frozenset({"wav", "flac", "ogg", "mp4", "webm", "aiff"})
"""Containers that say how long they are. MP3 and ADTS are streams of frames whose length can only be guessed."""

LONGEST_SECONDS = 600.0
PADDING_SECONDS = 0.1
"""What a codec may add to the length of its song: AAC 0.044 s, MP3 0.07 s."""

SAMPLE_RATES = (8_000, 192_000)
"""Lowest and highest rate in Hz. At 1 Hz one FLAC frame of a few bytes would last for 18 hours."""

MOST_CHANNELS = 8
MOST_STREAMS = 8
LARGEST_BYTES = 1 << 30
"""A file; ten minutes of 192 kHz, 32 bits and two channels are 0.92 GB."""

HIGHEST_SAMPLE = 16.0
"""24 dB over full scale: float files beyond that hold other numbers than sound."""

LONGEST_WORK_SECONDS = 120.0
"""How long one file may be worked on; ten minutes of music take 2 to 4 s of one core."""

ALLOWED = "mp3, wav, flac, ogg (opus or vorbis), m4a or adts with aac, webm with sound only, aiff"
"""What may be sent, for people."""
