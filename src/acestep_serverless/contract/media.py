"""Which file is of which kind? Suffixes and media types of songs and of what lies beside them, one table for the worker
that sends and the gateway that files.

Types as registered with IANA, but for `audio/wav`, the name that browsers and servers use. Opus lies in an Ogg
container, so its type names the container (RFC 7845, section 9). `audio/midi` is what everybody says, registered or
not; timed lyrics are plain text in UTF-8.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from urllib.parse import parse_qsl, urlsplit

MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "mp3": "audio/mpeg",
        "wav": "audio/wav",
        "flac": "audio/flac",
        "opus": "audio/ogg",
        "ogg": "audio/ogg",
        "aac": "audio/aac",
        "m4a": "audio/mp4",
    }
)
"""Media type by suffix without its dot. Where two suffixes share a type, the first is the type's own."""


@dataclass(frozen=True, slots=True)
class SideKind:
    """A kind of file beside a song: `suffix` without its dot."""

    suffix: str
    media_type: str


SIDE_FILES: Mapping[str, SideKind] = MappingProxyType(
    {"midi": SideKind("mid", "audio/midi"), "lrc": SideKind("lrc", "text/plain")}
)
"""What may lie beside a song, by the name it has in results: its score, and its timed lyrics."""

FILE_TYPES: Mapping[str, str] = MappingProxyType(
    {**MEDIA_TYPES, **{kind.suffix: kind.media_type for kind in SIDE_FILES.values()}}
)
"""Media type by suffix of every file that a job can leave."""

_OTHER_NAMES = {"audio/x-wav": "wav", "audio/opus": "opus"}
"""Names that servers give to the same files; no file is filed under them."""

_SUFFIXES = {**{media_type: suffix for suffix, media_type in reversed(list(MEDIA_TYPES.items()))}, **_OTHER_NAMES}


def suffix_of(media_type: str) -> str | None:
    """Name the suffix, without a dot, of files with this media type (small letters, no parameters); None if unknown."""
    return _SUFFIXES.get(media_type)


def suffix_of_file(url: str, media_type: str) -> str | None:
    """Name the suffix, without a dot, of an audio file by its URL's path or query, else by its media type.

    The name goes first: upstream's server says audio/mpeg of all suffixes that it has no type for, opus and aac too.
    """
    parts = urlsplit(url)
    for name in (*(value for _, value in parse_qsl(parts.query)), parts.path):
        suffix = PurePosixPath(name).suffix.removeprefix(".").lower()
        if suffix in MEDIA_TYPES:
            return suffix
    return suffix_of(media_type)
